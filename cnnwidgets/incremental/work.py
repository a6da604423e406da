"""How much was multiplied, and how much had to be."""

from __future__ import annotations

from dataclasses import dataclass

from .values.boxes import EditBox


@dataclass
class Work:
    """Multiply-adds of convolutions and matrix products.

    Attributes:
        done: what the engine computed.
        least: the image once, and for each edit the places that it can reach, exactly.
        full: what running every edited image through the whole model takes.
    """

    done: int = 0
    least: int = 0
    full: int = 0

    def once(self, products: int, *, again: bool = False) -> None:
        """The image's own value; ``again``: it had been let go."""
        self.done += products
        if not again:
            self.least += products

    def edits(self, products: int, per_place: int, places: int, box: EditBox | None, count: int) -> None:
        """``products`` were done for ``count`` edits of a value with ``places`` places, each worth ``per_place``."""
        self.done += products
        self.full += count * places * per_place
        self.least += per_place * (box.places if box is not None else count * places)
