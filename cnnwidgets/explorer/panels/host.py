"""What an Explorer has on show just now, for all who read or change it: its traits, its panels, its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.incremental.scaling import Factors


class PanelHost:
    """What a panel sees of its Explorer.

    Attributes:
        session: the model, the images, and the functions that look at them.
        scene: the photograph on show, and what was computed for it and the class explained.
        lock: held while the view is set, and to see that it is not.
        checking: whether a trait that is set is a wish, to be checked and followed: not while the view is being made,
            nor while it sets them itself.
        overlay_map: the map on the overlay, if it is complete.
        switched_scores: (classes,) scores of the photograph without the maps that are switched off; None: not known,
            or none is.
        switches: layer -> what its channels are to be multiplied by; ``scene`` follows.
        follow_switches: lets it follow.
        hidden_groups: the groups of channels that the class bars are without, in words; empty: none.
        show_groups: lets the class bars have them again.
        update_bars: shows scores (classes,) on the class bars, or (None) those of the photograph.
        busy_changed: to be called when :attr:`Panel.busy` changed.
        renew: looks at the photograph again, because the network has changed; returns when it has.
    """

    def __init__(self, session: Session, scene: Scene) -> None:
        self.session, self.scene = session, scene
        self.lock = threading.RLock()
        self.checking = False
        self.overlay_map: Attribution | None = None
        self.switched_scores: torch.Tensor | None = None
        self.switches: dict[str, Factors] = {}
        self.hidden_groups = ""
        self.show_groups: Callable[[], None] = lambda: None
        self._patched_scores: torch.Tensor | None = None
        self._hiding_on_show = False
        self.follow_switches: Callable[[], None] = lambda: None
        self.update_bars: Callable[[torch.Tensor | None], None] = lambda _: None
        self.busy_changed: Callable[[], None] = lambda: None
        self.renew: Callable[[], None] = lambda: None

    @property
    def model(self) -> nn.Module:
        """What looked at the photograph: the network, without what is switched off."""
        return self.session.model_of(self.scene)

    @property
    def lags(self) -> bool:
        """Whether the scene is of other switches than those that are set."""
        return self.scene.switches != self.switches_in(self.scene)

    def switches_in(self, scene: Scene) -> dict[str, Factors]:
        """The switches of layers and channels that ``scene`` has."""
        switches: dict[str, Factors] = {}
        for layer, factors in self.switches.items():
            if layer in scene.maps and isinstance(factors, dict):
                count = scene.maps[layer].shape[1]
                factors = {channel: factor for channel, factor in factors.items() if channel < count}
            if layer in scene.maps and factors != {}:
                switches[layer] = factors
        return switches

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """While traits are set to what is known to be right, and by nobody's wish."""
        before, self.checking = self.checking, False
        try:
            yield
        finally:
            self.checking = before

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show, without patches."""
        self.scene = scene
        self._patched_scores = self.switched_scores = None
        self.hidden_groups = ""

    def show_scores(self, logits: torch.Tensor | None) -> None:
        """(classes,) scores of the image with patches on it, for the class bars; None: there are none."""
        self._patched_scores = logits
        self._choose_scores()

    def show_switched(self, logits: torch.Tensor | None) -> None:
        """(classes,) scores of the network without some of its maps, for the class bars; None: it has all."""
        self.switched_scores = logits
        self._choose_scores()

    def panel_changed(self, panel: str) -> None:
        """The bars speak of the patches only where the patches are seen."""
        self._hiding_on_show = panel == "hide"
        self._choose_scores()

    def clear(self) -> None:
        """Let go of the model and of all that is on show."""
        del self.session, self.scene
        self.overlay_map = self.switched_scores = self._patched_scores = None
        self.show_groups = self.follow_switches = self.busy_changed = self.renew = lambda: None
        self.update_bars = lambda _: None

    def _choose_scores(self) -> None:
        patched = self._patched_scores if self._hiding_on_show else None
        self.update_bars(self.switched_scores if patched is None else patched)
