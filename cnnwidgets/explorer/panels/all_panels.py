"""The panels of an Explorer that compute on their own, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.ties import close_widget
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.showcase import Showcase

from .check import CheckPanel
from .compare import ComparePanel
from .hide import HidePanel
from .panel import Panel, PanelHost
from .switch import SwitchPanel


class Panels(PanelHost):
    """Hiding parts of the image, comparing maps, checking one, switching filters off."""

    def __init__(self, showcase: Showcase) -> None:
        super().__init__(showcase)
        self.checking, self.hiding = CheckPanel(self), HidePanel(self)
        self.comparing, self.switching = ComparePanel(self), SwitchPanel(self)
        self._panels: tuple[Panel, ...] = (self.checking, self.hiding, self.comparing, self.switching)

    def __iter__(self) -> Iterator[Panel]:
        return iter(self._panels)

    def show_switched(self, logits: torch.Tensor | None) -> None:
        """Patches are judged by the network as it is now, too."""
        super().show_switched(logits)
        self.hiding.score_again()

    @property
    def working(self) -> list[str]:
        """Names of the Explorer's tabs in which one of them computes."""
        tabs = {"look": self.checking, "hide": self.hiding, "compare": self.comparing}
        return [name for name, panel in tabs.items() if panel.busy]

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show."""
        self._patched_scores = self.switched_scores = None
        self.map_changed(None)
        for panel in self:
            panel.scene_opened(scene)

    def map_changed(self, attribution: Attribution | None) -> None:
        """Another map is on the overlay; None: none that is complete."""
        if attribution is not self.overlay_map:
            self.overlay_map = attribution
            for panel in self:
                panel.map_changed(attribution)

    def close(self) -> None:
        """Stop, and free everything."""
        self.tell_nobody()
        for panel in self:
            panel.close()
            close_widget(panel.widget)
        self.overlay_map = self.without_maps = None
        del self._panels, self.checking, self.hiding, self.comparing, self.switching
