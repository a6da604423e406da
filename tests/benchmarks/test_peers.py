"""That the comparison with the peers runs, on a network that takes no time; nothing is said of its numbers."""

from __future__ import annotations

from typing import Any

from torch import nn

from .peers import Setting, measure


def tiny(weights: Any) -> nn.Sequential:
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, 5))


def test_each_promise_has_its_row() -> None:
    rows = measure(Setting(size=32, rounds=1, maps=4, networks=(("tiny", tiny, "3"),)))
    promised = {row.name: row.target for row in rows if row.met is not None}
    assert [row.name for row in rows if "peak memory" not in row.name] == [
        "saliency, tiny",
        "Grad-CAM of 3, tiny",
        "guided backprop, tiny",
        "Grad-CAM of all 4 layers, tiny (captum, layer by layer, timed on 4, scaled)",
        "Grad-CAM of all 4 layers, tiny",
        "Score-CAM of 3, 4 of 8 maps, tiny",
        "Ablation-CAM of 3, tiny (pytorch-grad-cam timed on 4 of 8 maps, scaled)",
        next(row.name for row in rows if row.name.startswith("occlusion 4/4")),
        "trace of tiny beyond the forward",
    ]
    assert (
        promised["Grad-CAM of all 4 layers, tiny (captum, layer by layer, timed on 4, scaled)"]
        == "40× as fast as captum"
    )
    assert promised["Grad-CAM of all 4 layers, tiny"] == "no slower than pytorch-grad-cam"
    assert promised["guided backprop, tiny"] == "no slower than captum"
    assert sum("peak memory" in name for name in promised) == 6
