"""The panels of an Explorer that compute on their own, and what they are told."""

from __future__ import annotations

from collections.abc import Callable

import torch

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.explorer.work.stage import Stage

from .check import CheckPanel
from .compare import ComparePanel
from .hide import HidePanel
from .panel import Panel
from .switch import SwitchPanel


class Panels:
    """Hiding parts of the image, comparing maps, checking one, switching filters off; it is their ``PanelHost``.

    Args:
        stage: what is on show.
        show_scores: lets the class bars show other scores, or (None) those of the photograph.
        busy_changed: called when a panel begins or ends its work.
        renew: looks at the photograph again, because the network has changed; returns when it has.
    """

    def __init__(
        self,
        stage: Stage,
        show_scores: Callable[[torch.Tensor | None], None],
        busy_changed: Callable[[], None],
        renew: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._show_on_bars = show_scores
        self.busy_changed = busy_changed
        self.renew = renew
        self.overlay_map: Attribution | None = None
        self.switched_scores: torch.Tensor | None = None
        self._patched_scores: torch.Tensor | None = None
        self._hiding_on_show = False
        self.checking, self.hiding = CheckPanel(self), HidePanel(self)
        self.comparing, self.switching = ComparePanel(self), SwitchPanel(self)
        self._panels: tuple[Panel, ...] = (self.checking, self.hiding, self.comparing, self.switching)

    @property
    def session(self) -> Session:
        """The model and the images."""
        return self._stage.session

    @property
    def scene(self) -> Scene:
        """The photograph on show."""
        return self._stage.scene

    @property
    def without_maps(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What scores an image without the maps that are switched off; None: none is."""
        return self.switching.scores_of if self.switching.off else None

    def show_scores(self, logits: torch.Tensor | None) -> None:
        """Scores of the image with patches on it; None: there are none."""
        self._patched_scores = logits
        self._update_bars()

    def show_switched(self, logits: torch.Tensor | None) -> None:
        """Scores of the network without some of its maps; None: it has all."""
        self.switched_scores = logits
        self._update_bars()
        self.hiding.score_again()  # patches are judged by the network as it is now

    def panel_changed(self, panel: str) -> None:
        """The bars speak of the patches only where the patches are seen."""
        self._hiding_on_show = panel == "hide"
        self._update_bars()

    def _update_bars(self) -> None:
        patched = self._patched_scores if self._hiding_on_show else None
        self._show_on_bars(self.switched_scores if patched is None else patched)

    @property
    def working(self) -> list[str]:
        """Names of the Explorer's tabs in which one of them computes."""
        tabs = {"look": self.checking, "hide": self.hiding, "compare": self.comparing}
        return [name for name, panel in tabs.items() if panel.busy]

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show."""
        self._patched_scores = self.switched_scores = None
        self.map_changed(None)
        for panel in self._panels:
            panel.scene_opened(scene)

    def target_changed(self, scene: Scene) -> None:
        """Another class is explained."""
        for panel in self._panels:
            panel.target_changed(scene)

    def map_changed(self, attribution: Attribution | None) -> None:
        """Another map is on the overlay; None: none that is complete."""
        if attribution is not self.overlay_map:
            self.overlay_map = attribution
            for panel in self._panels:
                panel.map_changed(attribution)

    def cancel(self) -> None:
        """Stop what they compute."""
        for panel in self._panels:
            panel.cancel()

    def wait(self, timeout: float | None = None) -> None:
        """Block until none of them computes."""
        for panel in self._panels:
            panel.wait(timeout)

    def sleep(self) -> None:
        """Let go of what can be made again."""
        for panel in self._panels:
            panel.sleep()

    def close(self) -> None:
        """Stop, and free everything."""
        self.busy_changed = self._show_on_bars = self.renew = lambda *_: None
        for panel in self._panels:
            panel.close()
            panel.widget.unobserve_all()
            panel.widget.layout.close()
            panel.widget.close()
        self.overlay_map = None
        del self._panels
        del self.checking, self.hiding, self.comparing, self.switching
