"""Random actions on an Explorer, through the messages that a browser sends."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import cnnwidgets as cw

CHANNELS, CLASSES, SIDE = 6, 5, 20
METHODS = ("grad_cam", "saliency", "layer_cam", "occlusion", "eigen_cam")


def network() -> nn.Module:
    """A small one with batch norm and dropout, in training mode but for its end."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, CHANNELS, 3, padding=1),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(inplace=True),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(CHANNELS, CLASSES),
    )


def images() -> dict[str, torch.Tensor]:
    """Three, named."""
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(1, 3, SIDE, SIDE, generator=generator) for name in ("one", "two", "three")}


def update(widget: Any, **state: Any) -> None:
    """What the page sends when it sets traits."""
    widget._handle_msg({"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []})


def command(widget: Any, **content: Any) -> None:
    """What the page sends when a button is pressed."""
    widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


class Soak:
    """Does one random action after another; the same seed, the same actions."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.net = network()
        self.images = images()
        self.explorer = cw.explore(self.net, self.images)
        self._actions: list[Callable[[], None]] = [
            self._layer,
            self._channel,
            self._target,
            self._method,
            self._slider,
            self._picture,
            self._panel,
            self._patch,
            self._switch,
            self._compare,
            self._check,
            self._cancel,
            self._train,
        ]

    def run(self, count: int) -> None:
        """``count`` actions; of some the end is waited for."""
        for _ in range(count):
            self.random.choice(self._actions)()
            if self.random.random() < 0.3:
                self.explorer.wait(60)
        self.explorer.wait(60)
        self.explorer.wait(60)  # a panel may have asked for another look

    def _layer(self) -> None:
        update(self.explorer.graph, selected=self.random.choice(["0", "1", "2", "3", "4", "8"]))

    def _channel(self) -> None:
        update(self.explorer.feature_maps, channel=self.random.choice([None, *range(CHANNELS)]))

    def _target(self) -> None:
        update(self.explorer.scores, target=self.random.randrange(CLASSES))

    def _method(self) -> None:
        update(self.explorer.overlay, method=self.random.choice(METHODS))

    def _slider(self) -> None:
        if self.explorer.overlay.layers:
            update(self.explorer.overlay, layer=self.random.choice(self.explorer.overlay.layers))

    def _picture(self) -> None:
        update(self.explorer._view.bar, picture=self.random.choice(list(self.images)))

    def _panel(self) -> None:
        update(self.explorer._view.tabs, active=self.random.choice(["look", "filters", "hide", "compare"]))

    def _patch(self) -> None:
        side = self.random.randint(2, 6)
        top, left = self.random.randrange(SIDE - side), self.random.randrange(SIDE - side)
        patch = {"top": top, "left": left, "height": side, "width": side, "fill": "mean"}
        command(self.explorer.occluder, op="score", id=self.random.randrange(1000), patches=[patch], selected=0)

    def _switch(self) -> None:
        update(self.explorer.feature_maps, off=self.random.choice([[], [1], [0, 2]]))

    def _compare(self) -> None:
        comparison = self.explorer.comparison
        command(
            comparison,
            op="compare",
            methods=["grad_cam", "saliency"],
            axis=self.random.choice(["layers", "classes"]),
            layers=comparison.layers[:2],
            classes=[0, 1],
        )

    def _check(self) -> None:
        command(self.explorer.map_check.panel, op="check")

    def _cancel(self) -> None:
        command(self.explorer._view.bar, op="cancel")

    def _train(self) -> None:
        if self.random.random() < 0.2:
            with torch.no_grad():
                self.net[8].weight.mul_(-1.01)
