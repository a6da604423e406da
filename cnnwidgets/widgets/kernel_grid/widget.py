"""A layer's kernels: all of its filters in a grid, one of them large."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._still.publish import title

from .pixels import ShownKernels, shown_kernels
from .still import kernels_still

_MOST_ALIKE = 5


class KernelGrid(CnnWidget, folder="kernel_grid"):
    """Shows the kernels of one layer.

    With three input channels they stand for red, green and blue, 0 is mid grey; else colours show the sign, and a bar
    what they mean. All input channels of a filter are beside each other, or one is content at a time; the slices of a
    Conv3d are beside each other, too. Filters of zeros, and filters that are nearly a multiple of another, are marked.

    Arguments:
        kernels: (K, C, kh, kw), (K, C, kd, kh, kw), (K, C, k) of signals or (K, C): array, tensor, or what
            :func:`cnnwidgets.kernels.weights` returns; None to begin empty.
        layer: the layer's name.
        summary: what :func:`cnnwidgets.kernels.summary` says of them; None: dead and alike filters are found here, by
            the kernels alone.
        groups: how many groups the filters form; only within one are they compared.
        **traits: any trait by name.

    Raises:
        InputError: ``kernels`` has another shape or type.

    Example:
        >>> widget = KernelGrid(np.eye(2).reshape(2, 2, 1, 1), layer="conv", channel=1)
        >>> widget.layer, widget.channel
        ('conv', 1)
    """

    layer = traitlets.Unicode("", help="Dotted name of the layer on show; may be empty.")
    channel = traitlets.Int(None, allow_none=True, help="The filter content large, 0 to K - 1; None: none.")
    input = traitlets.Int(None, allow_none=True, help="The input channel on show, 0 to C - 1; None: all of them.")
    sort = traitlets.Enum(("index", "norm"), "index", help="Order of the filters; by norm, the largest comes first.")
    scale = traitlets.Enum(
        ("filter", "layer"), "filter", help="What the colours span: each filter's own weights, or the whole layer's."
    )
    colormap = traitlets.Enum(("blue-red", "purple-green"), "blue-red", help="Colours of the sign.")
    _content: ShownKernels | None = None

    def __init__(
        self, kernels: Any = None, *, layer: str = "", summary: Any = None, groups: int = 1, **traits: Any
    ) -> None:
        selected = {name: traits.pop(name) for name in ("channel", "input") if name in traits}
        super().__init__(**traits)
        if kernels is not None:
            self.show(kernels, layer, summary=summary, groups=groups)
        for name, value in selected.items():
            setattr(self, name, value)

    def show(self, kernels: Any, layer: str = "", *, summary: Any = None, groups: int = 1) -> None:
        """Show other kernels; arguments as for the class. What is selected stays if they have it.

        Raises:
            InputError: ``kernels`` has another shape or type.
        """
        # What kernels.weights returns says these by itself.
        groups = checked_count(getattr(kernels, "groups", groups), "groups")
        layer = layer or str(getattr(kernels, "layer", ""))
        content = shown_kernels(kernels, groups, summary)
        if content.count % groups:
            raise InputError(f"{content.count} filters do not form {groups} groups of one size.")
        with self.hold_sync():
            self._content = content
            if self.channel is not None and self.channel not in content.filters:
                self.channel = None
            if self.input is not None and self.input >= content.values.shape[1]:
                self.input = None
            self.layer = layer
        alike: dict[int, list[tuple[int, float]]] = {}
        for first, second, cosine in content.duplicates:
            alike.setdefault(first, []).append((second, cosine))
            alike.setdefault(second, []).append((first, cosine))
        self.push(
            "kernels",
            arrays={"values": content.values, "norms": content.norms, "filters": content.filters},
            layer=layer,
            facts=_size_in_words(content, groups),
            signal=content.signal,
            coloured=content.coloured,
            dead=list(content.dead),
            alike={str(number): others[:_MOST_ALIKE] for number, others in alike.items()},
            notes=list(content.notes),
        )

    _still = kernels_still

    def _still_title(self) -> str:
        return title("Kernels", self.layer, self)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take state from a view; a click on a filter that is gone by now is undone there, not an error here."""
        if isinstance(sync_data, dict) and self._content is not None:
            filters, inputs = self._content.filters, self._content.values.shape[1]
            gone = [
                name
                for name, exists in (("channel", lambda n: n in filters), ("input", lambda n: n < inputs))
                if type(sync_data.get(name)) is int and not exists(sync_data[name])
            ]
            for name in gone:
                self.send_state(name)
            sync_data = {name: value for name, value in sync_data.items() if name not in gone}
        super().set_state(sync_data)

    @traitlets.validate("channel", "input")
    def _exists(self, proposal: dict[str, Any]) -> int | None:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None:
            return None
        if self._content is None:
            raise traitlets.TraitError(f"Cannot select {name} {value}: no kernels are on show. Call show(kernels).")
        among = self._content.filters if name == "channel" else np.arange(self._content.values.shape[1])
        if value not in among:
            noun = "filter" if name == "channel" else "input channel"
            raise traitlets.TraitError(f"No {noun} {value} on show: 0 to {among.max()}, or None.")
        return int(value)


def _size_in_words(content: ShownKernels, groups: int) -> str:
    """ "64 filters of 3 × 7 × 7"."""
    inputs = content.values.shape[1]
    sides = " × ".join(map(str, (inputs, *content.sides)))
    form = "depthwise, " if groups > 1 and inputs == 1 else f"{groups} groups, " if groups > 1 else ""
    return f"{form}{content.count} {'filter' if content.count == 1 else 'filters'} of {sides}"
