"""Segmentation, detection and regression: targets that are no class index."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import TargetError
from cnnwidgets.explainers.targets import detection, detection_score, mask_sum

detectors = importlib.import_module("torchvision.models.detection")
segmentation = importlib.import_module("torchvision.models.segmentation")
ops = importlib.import_module("torchvision.ops")


def finite_difference(model: nn.Module, image: torch.Tensor, score: Any, places: list[tuple[int, ...]]) -> list[float]:
    """dS / dx at some places, by central differences."""
    found = []
    with torch.no_grad():
        for place in places:
            step = torch.zeros_like(image)
            step[(0, *place)] = 1e-5
            found.append(float((score(model(image + step)) - score(model(image - step)))[0]) / 2e-5)
    return found


@pytest.fixture(scope="module")
def lraspp() -> nn.Module:
    torch.manual_seed(2)
    net = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).train()
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(2, 3, 32, 32))
    return net.eval().double()


class TestMaskSum:
    MAPS = torch.arange(24.0).view(2, 3, 2, 2)  # of image 1, class 2: 20 21 / 22 23

    @pytest.mark.parametrize(
        ("mask", "expected"),
        [
            (None, [8 + 9 + 10 + 11, 20 + 21 + 22 + 23]),
            ([[True, False], [False, True]], [8 + 11, 20 + 23]),
            (torch.tensor([[0.5, 0.0], [0.0, 0.0]]), [4.0, 10.0]),
            ([[[1, 0], [0, 0]], [[0, 0], [1, 0]]], [8.0, 22.0]),
        ],
    )
    def test_by_hand(self, mask: Any, expected: list[float]) -> None:
        assert mask_sum(2, mask)(self.MAPS).tolist() == expected
        assert mask_sum(2, mask)({"aux": self.MAPS * 0, "out": self.MAPS}).tolist() == expected

    @pytest.mark.parametrize(
        ("class_index", "mask", "words"),
        [
            (3, None, "3 classes"),
            (0, torch.ones(3, 2), r"mask has shape \(3, 2\).*\(2, 2, 2\)"),
            (0, torch.ones(3, 2, 2), "masks of their own"),
            (0, torch.ones(2), r"\(H, W\)"),
            (0, "all", "mask is str"),
            (-1, None, "class_index is -1"),
            (True, None, "class_index is True"),
        ],
    )
    def test_what_does_not_fit(self, class_index: int, mask: Any, words: str) -> None:
        with pytest.raises(TargetError, match=words):
            mask_sum(class_index, mask)(self.MAPS)

    def test_class_scores_are_no_map(self) -> None:
        with pytest.raises(TargetError, match=r"needs \(N, classes, H, W\).*shape \(2, 5\)"):
            mask_sum(0)(torch.zeros(2, 5))

    def test_the_gradient_of_a_segmentation(self, lraspp: nn.Module) -> None:
        image = torch.randn(1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        mask = torch.zeros(32, 32, dtype=torch.bool)
        mask[4:20, 8:24] = True
        target = mask_sum(2, mask)
        result = explainers.saliency(lraspp, image, target)
        with torch.no_grad():
            assert float(result.scores) == pytest.approx(float(lraspp(image)["out"][0, 2][mask].sum()), 1e-5)
        places = [(0, 5, 9), (1, 16, 16), (2, 30, 1)]
        slow = finite_difference(lraspp, image, target, places)
        assert [float(result.values[0][place]) for place in places] == pytest.approx(slow, rel=1e-3, abs=1e-6)

    def test_grad_cam_and_occlusion_of_a_segmentation(self, lraspp: nn.Module) -> None:
        image = torch.randn(1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        target = mask_sum(2, torch.ones(32, 32))
        name = "backbone.12"
        kept: list[torch.Tensor] = []
        handle = lraspp.get_submodule(name).register_forward_hook(lambda *passed: kept.append(passed[2]))
        score = lraspp(image)["out"][0, 2].sum()
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept[0])
        slow = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1).detach()
        result = explainers.grad_cam(lraspp, image, target, layer=name)
        torch.testing.assert_close(result.values.double(), slow, rtol=1e-5, atol=1e-5 * float(slow.abs().max()))
        covered = explainers.occlusion(lraspp, image, target, patch=16, stride=16)
        edited = image.clone()
        edited[..., :16, 16:] = 0
        with torch.no_grad():
            assert float(covered.grid[0, 0, 1]) == pytest.approx(float(target(lraspp(edited))), 1e-5)


class Backbone(nn.Module):
    """Two convolutions under the names of a ResNet's stages."""

    out_channels = 16

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict(
            {
                "layer1": nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True)),
                "layer4": nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(inplace=True)),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body["layer4"](self.body["layer1"](x))


def faster_rcnn() -> nn.Module:
    parts = detectors.faster_rcnn
    torch.manual_seed(0)
    net = detectors.FasterRCNN(
        Backbone(),
        min_size=64,
        max_size=64,
        rpn_anchor_generator=detectors.rpn.AnchorGenerator(((16, 32),), ((1.0,),)),
        box_roi_pool=ops.MultiScaleRoIAlign(["0"], 5, 2),
        box_score_thresh=0.0,
        rpn_pre_nms_top_n_test=20,
        rpn_post_nms_top_n_test=20,
        box_detections_per_img=8,
        box_head=parts.TwoMLPHead(16 * 25, 32),
        box_predictor=parts.FastRCNNPredictor(32, 4),
    )
    with torch.no_grad():
        for parameter in net.roi_heads.box_predictor.cls_score.parameters():
            parameter.mul_(20)  # or all scores are about a quarter
    return net.eval()


IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return faster_rcnn()


@pytest.fixture(scope="module")
def found(network: nn.Module) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return network(IMAGE)[0]


class TestDetection:
    def test_the_detection_with_the_best_overlap_is_meant(self) -> None:
        boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 6.0], [0.0, 0.0, 10.0, 9.0]])
        scores = torch.tensor([0.9, 0.8, 0.7])
        outputs = [{"boxes": boxes, "labels": torch.tensor([2, 1, 1]), "scores": scores}]
        assert detection_score((0, 0, 10, 10), 1)(outputs).tolist() == [pytest.approx(0.7)]  # overlaps 0.9, not 0.6
        assert detection_score((0, 0, 10, 10), 2)(outputs).tolist() == [pytest.approx(0.9)]
        assert detection_score((0, 0, 10, 10), 3)(outputs).tolist() == [0.0]
        assert detection_score((0, 0, 10, 5), 1, iou=0.9)(outputs).tolist() == [0.0]  # at best 50 / 60
        assert detection_score((0, 0, 10, 5), 1, iou=0.8)(outputs).tolist() == [pytest.approx(0.8)]
        nothing = {"boxes": boxes[:0], "labels": torch.tensor([], dtype=torch.int64), "scores": scores[:0]}
        assert detection_score((0, 0, 10, 5), 1)([nothing, *outputs]).tolist() == [0.0, pytest.approx(0.8)]

    def test_the_score_is_the_detectors(self, network: nn.Module, found: dict[str, torch.Tensor]) -> None:
        for index in (0, 3, -1):
            target = detection(found, index)
            result = explainers.saliency(network, IMAGE, target)
            assert float(result.scores) == pytest.approx(float(found["scores"][index]), 1e-5)
            assert result.target is target
            assert float(result.values.abs().max()) > 0

    def test_the_gradient_is_right(self) -> None:
        network, image = faster_rcnn().double(), IMAGE.double()
        with torch.no_grad():
            target = detection(network(image)[0])
        result = explainers.saliency(network, image, target)
        strongest = result.values[0].abs().flatten().topk(3).indices
        places = [tuple(torch.unravel_index(index, (3, 64, 64))) for index in strongest]
        slow = finite_difference(network, image, target, [tuple(map(int, place)) for place in places])
        # The proposals move with the image and are detached, by torchvision's design, so this is not all of it.
        assert [float(result.values[0][place]) for place in places] == pytest.approx(slow, rel=0.2)

    def test_grad_cam_of_a_layer_of_the_backbone(self, network: nn.Module, found: dict[str, torch.Tensor]) -> None:
        name, target = "backbone.body.layer4", detection(found)
        kept: list[torch.Tensor] = []
        handle = network.get_submodule(name).register_forward_hook(lambda *passed: kept.append(passed[2]))
        score = network(IMAGE)[0]["scores"][0]
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept[0])
        slow = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1).detach()
        result = explainers.grad_cam(network, IMAGE, target, layer=name)
        torch.testing.assert_close(result.values, slow, rtol=1e-4, atol=1e-5 * float(slow.abs().max()))

    def test_covering_the_object_makes_it_vanish(self, network: nn.Module, found: dict[str, torch.Tensor]) -> None:
        target = detection(found)
        result = explainers.occlusion(network, IMAGE, target, patch=16, stride=16)
        assert float(result.baseline) == pytest.approx(float(found["scores"][0]), 1e-5)
        slow = torch.zeros(4, 4)
        with torch.no_grad():
            for row in range(4):
                for column in range(4):
                    edited = IMAGE.clone()
                    edited[..., 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 0
                    one = network(edited)[0]
                    same = ops.box_iou(one["boxes"], found["boxes"][:1])[:, 0]
                    same[one["labels"] != found["labels"][0]] = 0
                    if float(same.max()) >= 0.5:
                        slow[row, column] = one["scores"][same.argmax()]
        torch.testing.assert_close(result.grid[0], slow, atol=1e-4, rtol=0)
        assert bool((slow == 0).any())
        assert "the model returns no class scores, so no predicted classes are given" in result.notes

    @pytest.mark.parametrize("name", ["saliency", "occlusion", "eigen_cam"])
    def test_a_class_index_is_refused_with_the_way_out(self, network: nn.Module, name: str) -> None:
        with pytest.raises(TargetError, match=r"detections.*explainers\.targets\.detection"):
            explainers.get(name)(network, IMAGE, 1)

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda found: detection(found, 8), "found 8"),
            (lambda found: detection([found]), r"model\(images\)\[0\]"),
            (lambda _: detection_score((5, 5, 5, 9), 1), "x2 > x1"),
            (lambda _: detection_score((0, 0, 1), 1), "x1, y1, x2, y2"),
            (lambda _: detection_score((0, 0, 1, 1), 1, iou=0), "iou is 0"),
            (lambda _: detection_score((0, 0, 1, 1), 1)(torch.zeros(1, 3)), r"returned a tensor of shape \(1, 3\)"),
        ],
    )
    def test_what_does_not_fit(self, found: dict[str, torch.Tensor], make: Any, words: str) -> None:
        with pytest.raises(TargetError, match=words):
            make(found)


class Regression(nn.Module):
    """One number an image, (N, 1) or (N,)."""

    def __init__(self, squeezed: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 1)
        self.squeezed = squeezed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(self.relu(self.conv(x)).mean((2, 3)))
        return y[:, 0] if self.squeezed else y


@pytest.mark.parametrize("name", explainers.names())
@pytest.mark.parametrize("target", [None, 0])
def test_regression_with_one_output(name: str, target: int | None) -> None:
    images = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(4))
    column = explainers.get(name)(Regression(squeezed=False), images, target)
    if name == "cam":
        assert float(column.values.abs().max()) > 0
        return
    flat = explainers.get(name)(Regression(squeezed=True), images, target)
    with torch.no_grad():
        torch.testing.assert_close(flat.scores, Regression(squeezed=True)(images))
    assert torch.equal(flat.values, column.values)
    assert flat.target == column.target == (0, 0)
    assert not any("softmax" in note or "saturated" in note or "every class" in note for note in flat.notes)


def raises(_: Any) -> torch.Tensor:
    raise IndexError("no such thing")


def scalar(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.sum()


@pytest.mark.parametrize("name", [name for name in explainers.names() if name != "cam"])
@pytest.mark.parametrize(
    ("target", "words"),
    [
        (raises, r"target function 'raises' raised IndexError: no such thing.*shape \(2, 1\)"),
        (scalar, r"target function 'scalar' returned shape \(\).*\(2,\)"),
    ],
)
def test_a_callable_that_fails_is_named(name: str, target: Any, words: str) -> None:
    with pytest.raises(TargetError, match=words) as caught:
        explainers.get(name)(Regression(squeezed=False), torch.rand(2, 3, 20, 20), target)
    assert isinstance(caught.value.__cause__, IndexError) == (target is raises)
