"""The panels of an Explorer that compute on their own, and what they are told."""

from __future__ import annotations

from collections.abc import Callable

import torch

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.session import Scene, Session

from .check import Checking
from .compare import Comparing
from .hide import Hiding
from .panel import Part
from .switch import Switching


class Panels:
    """Hiding parts of the image, comparing maps, checking one, switching filters off; and their :class:`~.part.Host`.

    Args:
        session: the model and the images.
        scene: gives the photograph on show.
        show_scores: lets the class bars show other scores, or (None) those of the photograph.
        changed: called when a panel begins or ends its work.
        renew: looks at the photograph again, because the network has changed; returns when it has.
    """

    def __init__(
        self,
        session: Session,
        scene: Callable[[], Scene],
        show_scores: Callable[[torch.Tensor | None], None],
        changed: Callable[[], None],
        renew: Callable[[], None],
    ) -> None:
        self.session = session
        self.shown: Attribution | None = None
        self._scene = scene
        self._show = show_scores
        self.renew = renew
        self._patched: torch.Tensor | None = None
        self._switched: torch.Tensor | None = None
        self._hiding_on_show = False
        self.part_changed: Callable[[], None] = _nothing
        self.checking, self.hiding, self.comparing = Checking(self), Hiding(self), Comparing(self)
        self.switching = Switching(self)
        self._parts: tuple[Part, ...] = (self.checking, self.hiding, self.comparing, self.switching)
        self.part_changed = changed

    @property
    def scene(self) -> Scene:
        """The photograph on show."""
        return self._scene()

    @property
    def switched_scores(self) -> torch.Tensor | None:
        """(classes,) scores of the photograph without the maps that are switched off; None: not known, or none is."""
        return self._switched

    @property
    def without_maps(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What scores an image without the maps that are switched off; None: none is."""
        return self.switching.scores_of if self.switching.off else None

    def show_scores(self, logits: torch.Tensor | None) -> None:
        """Scores of the image with patches on it; None: there are none."""
        self._patched = logits
        self._tell()

    def show_switched(self, logits: torch.Tensor | None) -> None:
        """Scores of the network without some of its maps; None: it has all."""
        self._switched = logits
        self._tell()
        self.hiding.again()  # patches are judged by the network as it is now

    def panel_changed(self, panel: str) -> None:
        """The bars speak of the patches only where the patches are seen."""
        self._hiding_on_show = panel == "hide"
        self._tell()

    def _tell(self) -> None:
        patched = self._patched if self._hiding_on_show else None
        self._show(self._switched if patched is None else patched)

    @property
    def working(self) -> list[str]:
        """Names of the Explorer's tabs in which one of them computes."""
        tabs = {"look": self.checking, "hide": self.hiding, "compare": self.comparing}
        return [name for name, part in tabs.items() if part.busy]

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show."""
        self._patched = self._switched = None
        self.map_changed(None)
        for part in self._parts:
            part.scene_opened(scene)

    def target_changed(self, scene: Scene) -> None:
        """Another class is explained."""
        for part in self._parts:
            part.target_changed(scene)

    def map_changed(self, shown: Attribution | None) -> None:
        """Another map is on the overlay; None: none that is complete."""
        if shown is not self.shown:
            self.shown = shown
            for part in self._parts:
                part.map_changed(shown)

    def cancel(self) -> None:
        """Stop what they compute."""
        for part in self._parts:
            part.cancel()

    def wait(self, timeout: float | None = None) -> None:
        """Block until none of them computes."""
        for part in self._parts:
            part.wait(timeout)

    def sleep(self) -> None:
        """Let go of what can be made again."""
        for part in self._parts:
            part.sleep()

    def close(self) -> None:
        """Stop, and free everything."""
        self.part_changed = self._show = self.renew = _nothing
        for part in self._parts:
            part.close()
            part.widget.unobserve_all()
            part.widget.layout.close()
            part.widget.close()
        self.shown = None
        del self.session, self._scene, self._parts
        del self.checking, self.hiding, self.comparing, self.switching


def _nothing(*_: object) -> None:
    """What is told when nobody listens."""
