"""Networks as they are used: one of each family of torchvision's classifiers, and timm's with real weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torchvision.models.maxvit import MaxVit

import cnnwidgets as cw
from cnnwidgets.incremental import Edited

from . import nets

FAMILIES: dict[str, dict[str, Any]] = {
    "alexnet": {},
    "convnext_tiny": {},
    "densenet121": {},
    "efficientnet_b0": {},
    "efficientnet_v2_s": {},
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
    "maxvit_t": {},
    "mnasnet0_5": {},
    "mobilenet_v2": {},
    "mobilenet_v3_small": {},
    "regnet_y_400mf": {},
    "resnet18": {},
    "resnext50_32x4d": {},
    "shufflenet_v2_x0_5": {},
    "squeezenet1_1": {},
    "swin_t": {},
    "vgg11": {},
    "vit_b_32": {},
    "wide_resnet50_2": {},
}
SIDES = {"inception_v3": 80, "vit_b_32": 64, "alexnet": 80}


def network(name: str, side: int) -> torch.nn.Module:
    options = dict(FAMILIES[name])
    if name == "vit_b_32":
        options["image_size"] = side
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "maxvit_t":  # its own takes images of 224 only
            made = MaxVit((side, side), 8, 2, [16, 24], [1, 1], 8, 0.0, num_classes=10)
            return nets.alive(made, (3, side, side))
        made = torchvision.models.get_model(name, weights=None, num_classes=10, **options)
    for module in made.modules():
        if isinstance(module, torch.nn.Linear) and not module.weight.any():  # the head of vit_b_32
            torch.nn.init.normal_(module.weight, generator=nets.seeded(2))
    return nets.alive(made, (3, side, side))


@pytest.mark.parametrize("name", FAMILIES)
def test_probabilities_equal_those_of_the_full_forward(name: str) -> None:
    side = SIDES.get(name, 64)
    model, generator = network(name, side), nets.seeded(1)
    image, patch = torch.randn(1, 3, side, side, generator=generator), torch.randn(3, 8, 8, generator=generator)
    tops, lefts = [0, side // 2, side - 3, -4], [1, side // 3, side - 8, side - 5]
    with Edited(model, image, engine="incremental") as edited, torch.no_grad():
        scores = edited.scores(patch, tops, lefts)
        full = model(edited.edits(patch, tops, lefts))
    assert edited.notes == ()
    assert edited.work.least <= edited.work.done <= 1.4 * edited.work.least
    assert float((full - edited.base).abs().max()) > 0
    apart = float((scores.softmax(1) - full.softmax(1)).abs().max())
    if apart < 1e-5:
        return
    # Random weights may magnify the rounding of float32, in the full forward as well; float64 then decides.
    model.double()
    with Edited(model, image.double(), engine="incremental") as edited, torch.no_grad():
        precise = edited.scores(patch, tops, lefts)
        exact = model(edited.edits(patch, tops, lefts))
    assert apart < 4 * float((full.softmax(1) - exact.softmax(1)).abs().max()) < 1e-3
    assert float((precise - exact).abs().max()) < 1e-9 * float((exact - edited.base).abs().max())


def test_efficientnet_with_real_weights_on_photographs() -> None:
    demo = cw.demo.load()
    for name in ("chelsea", "coffee"):
        image = demo.preprocess.apply(demo.images[name])
        tops, lefts = [0, 96, 104, 200, 215], [0, 100, 104, 96, 215]
        with Edited(demo.model, image) as edited, torch.no_grad():
            scores = edited.scores(torch.zeros(3, 16, 16), tops, lefts)
            full = demo.model(edited.edits(torch.zeros(3, 16, 16), tops, lefts))
        assert edited.engine == "incremental"
        assert float((full.softmax(1) - edited.base.softmax(1)).abs().max()) > 0.01
        assert float((scores.softmax(1) - full.softmax(1)).abs().max()) < 1e-5
