"""The panels of an Explorer that compute on their own, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.ties import close_widget
from cnnwidgets.explorer.work.scene import Scene

from .cell import CellPanel
from .check import CheckPanel
from .compare import ComparePanel
from .filters import FiltersPanel
from .gallery import GalleryPanel
from .hide import HidePanel
from .host import PanelHost
from .panel import Panel
from .ranking import RankingPanel
from .switch import SwitchPanel


class Panels:
    """Hiding parts of the image, comparing maps, checking one, switching filters off, what filters look for."""

    def __init__(self, host: PanelHost) -> None:
        self._host = host
        self.checking, self.hiding = CheckPanel(host), HidePanel(host)
        self.comparing, self.switching = ComparePanel(host), SwitchPanel(host)
        self.filters = FiltersPanel(host)
        self.cell = CellPanel(host, self.filters.widget)
        self.ranking = RankingPanel(host, self.filters.widget.ranking, self.switching, self.filters)
        self.gallery = GalleryPanel(host, self.filters.widget.gallery, self.filters, self.switching)

    def __iter__(self) -> Iterator[Panel]:
        yield from (self.checking, self.hiding, self.comparing, self.switching, self.filters, self.cell)
        yield from (self.ranking, self.gallery)

    @property
    def working(self) -> list[str]:
        """Names of the Explorer's tabs in which one of them computes."""
        tabs: dict[str, list[Panel]] = {"look": [self.checking], "filters": [self.filters, self.ranking, self.gallery]}
        tabs |= {"hide": [self.hiding], "compare": [self.comparing]}
        return [name for name, panels in tabs.items() if any(panel.busy for panel in panels)]

    def scene_opened(self, scene: Scene, *, same_photograph: bool = False) -> None:
        """Another photograph is on show; or the same one, and the network has other channels switched off."""
        self._host.scene_opened(scene)
        self.map_changed(None)
        for panel in self:
            if panel.follows_switches or not same_photograph:
                panel.scene_opened(scene)

    def panel_changed(self, panel: str) -> None:
        """The tab of another one is on show."""
        self._host.panel_changed(panel)
        if panel == "compare":
            self.comparing.open()
        self.filters.panel_changed(panel)

    def map_changed(self, attribution: Attribution | None) -> None:
        """Another map is on the overlay; None: none that is complete."""
        if attribution is not self._host.overlay_map:
            self._host.overlay_map = attribution
            for panel in self:
                panel.map_changed(attribution)

    def close(self) -> None:
        """Stop, and free everything."""
        for panel in self:
            panel.close()
            close_widget(panel.widget)
