"""Networks that do not classify: every panel explains a part of a segmentation, a detection, a number, a function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets import explainers
from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.explainers.targets import detection, mask_sum
from cnnwidgets.widgets.comparison import Wanted
from tests.explorer.shown import pushed, shown_map

torch.manual_seed(3)
X = torch.rand(1, 3, 16, 24)
LABELS = ["background", "road", "tree"]


class Segmenter(nn.Module):
    """The scores of a pixel depend on that pixel alone: background 0.2, road its red, tree twice its green less 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(3, 3, 1, bias=False)
        self.head = nn.Conv2d(3, 3, 1)
        self.pixels.weight.data = torch.eye(3)[:, :, None, None]
        self.head.weight.data = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0]])[:, :, None, None]
        self.head.bias.data = torch.tensor([0.2, 0.0, -0.5])

    def forward(self, x: torch.Tensor) -> Any:
        return {"out": self.head(self.pixels(x).relu())}


class Detector(nn.Module):
    """Two boxes, always; the score of each is the mean red in it."""

    boxes = torch.tensor([[2.0, 1.0, 10.0, 7.0], [12.0, 8.0, 22.0, 14.0], [0.0, 0.0, 3.0, 3.0]])
    labels = torch.tensor([1, 2, 1])

    def __init__(self, least: float = 0.0) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(3, 3, 1, bias=False)
        self.pixels.weight.data = torch.eye(3)[:, :, None, None]
        self.least = least

    def forward(self, images: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        red = self.pixels(images).relu()[:, 0]
        return [self._of(one) for one in red]

    def _of(self, red: torch.Tensor) -> dict[str, torch.Tensor]:
        means = [red[int(y0) : int(y1), int(x0) : int(x1)].mean() for x0, y0, x1, y1 in self.boxes.tolist()]
        scores = torch.stack(means) * torch.tensor([1.0, 0.5, 0.01])
        order = [index for index in scores.argsort(descending=True).tolist() if scores[index] > self.least]
        return {"boxes": self.boxes[order], "labels": self.labels[order], "scores": scores[order]}


class Numbers(nn.Module):
    def __init__(self, count: int, finish: Callable[[torch.Tensor], torch.Tensor] = lambda table: table) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, count)
        self.finish = finish

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.finish(self.head(self.conv(x).relu().mean((2, 3))))


def bars(e: cw.Explorer) -> np.ndarray[Any, Any]:
    return np.asarray(e.scores._logits)


def settled(e: cw.Explorer) -> cw.Explorer:
    e.wait(60)
    assert e.status == "ready", e.message
    return e


def weights(box: tuple[int, int, int, int]) -> torch.Tensor:
    mask = torch.zeros(16, 24)
    mask[box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = 1 / (box[2] * box[3])
    return mask


def test_a_segmentation_opens_on_the_class_predicted_most_often() -> None:
    net = Segmenter().eval()
    e = cw.explore(net, X, labels=LABELS)
    maps = net(X)["out"][0]
    amounts = torch.bincount(maps.argmax(0).flatten(), minlength=3) / (16 * 24)
    first = 1 + int(amounts[1:].argmax())
    np.testing.assert_allclose(bars(e), maps.mean((1, 2)).detach(), rtol=1e-5)
    assert e.target == first
    assert e.overlay.picking == "region"
    assert e.overlay.explains.startswith(f"Explains the mean score of {LABELS[first]} over the whole picture; ")
    assert f"{100 * float(amounts[first]):.0f} % of its places" in e.overlay.explains
    assert e.scores.shown[0].text[-1] != "%"  # means of logits are no probabilities


@pytest.mark.parametrize("method", ["grad_cam", "saliency", "occlusion"])
def test_a_region_is_explained_by_its_own_pixels_alone(method: str) -> None:
    net, box = Segmenter().eval(), (4, 8, 6, 8)
    e = cw.explore(net, X, labels=LABELS)
    e.target = 1
    e.region = list(box)
    settled(e)
    e.method = method
    settled(e)
    target = mask_sum(1, weights(box))
    np.testing.assert_allclose(bars(e)[1], target(net(X)).item(), rtol=1e-5)
    assert "in the box of 6 × 8 pixels (height × width) at row 4, column 8" in e.overlay.explains
    values = shown_map(e)
    if method == "occlusion":
        own = explainers.occlusion(net, X, target, patch=2, stride=1)
        np.testing.assert_allclose(values, own.values[0], atol=1e-6)
        inside = np.zeros((16, 24), bool)
        inside[4 - 1 : 10 + 1, 8 - 1 : 16 + 1] = True
        assert np.abs(values[~inside]).max() < 1e-6 < np.abs(values[inside]).min()
    elif method == "saliency":
        inside = weights(box).numpy() > 0
        np.testing.assert_allclose(np.abs(values)[inside], 1 / 48, rtol=1e-5)  # road is its red
        assert np.abs(values[~inside]).max() == 0
    else:
        own = explainers.grad_cam(net, X, target, layer=e.overlay.layer)
        np.testing.assert_allclose(values, own.values[0], atol=1e-6)


def test_the_segment_under_a_place_is_the_region() -> None:
    net = Segmenter().eval()
    x = torch.zeros(1, 3, 16, 24)
    x[:, 0, 2:6, 3:9] = 0.9
    x[:, 0, 10:12, 3:9] = 0.7  # the same class, not connected
    e = cw.explore(net, x, labels=LABELS)
    e.region = [3, 4]
    settled(e)
    np.testing.assert_allclose(bars(e), [0.2, 0.9, -0.5], rtol=1e-5)
    assert (e.target, e.overlay.explains.split(";")[0]) == (
        1, "Explains the mean score of road in the segment around row 3, column 4"
    )  # fmt: skip
    assert e.overlay.explains.endswith("; road is predicted at 100 % of its places, more than any other class.")
    e.region = []
    settled(e)
    assert e.overlay.explains.endswith("road is predicted at 9 % of its places, more than any other class but the "
                                       "background.")  # fmt: skip


def test_regions_that_are_none_are_refused_and_the_view_stays() -> None:
    e = cw.explore(Segmenter().eval(), X)
    for region in ([1, 2, 3], [0, 0, 17, 2], [0, 0, 0, 2], [16, 0], [-1, 0, 2, 2]):
        with pytest.raises(InputError, match=r"region|outside"):
            e.region = region
    assert e.region == []
    with pytest.raises(InputError, match="region"):
        cw.explore(Numbers(3).eval(), X).region = [0, 0, 2, 2]
    e.overlay.region = [0, 0, 17, 2]  # as the page would
    assert "does not lie in the picture" in e._view.bar.error
    assert e.overlay.region == []


def test_a_coarse_map_weighs_the_cells_that_a_box_cuts() -> None:
    class Coarse(Segmenter):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.avg_pool2d(super().forward(x)["out"], 4)

    net = Coarse().eval()
    e = cw.explore(net, X)
    e.region = [4, 0, 6, 8]  # a row of cells, and half of the next
    settled(e)
    maps = net(X)[0, :, :, :2].detach()
    np.testing.assert_allclose(bars(e), (maps[:, 1].mean(1) * 4 + maps[:, 2].mean(1) * 2) / 6, rtol=1e-5)


def test_every_panel_follows_the_region() -> None:
    net, box = Segmenter().eval(), (4, 8, 6, 8)
    e = cw.explore(net, {"one": X, "two": 1 - X}, labels=LABELS)
    e.region = list(box)
    settled(e).target = 2
    settled(e)
    plain = net(X)["out"][0].detach()[:, 4:10, 8:16].mean((1, 2))
    # A filter that is switched off.
    assert e.layer in ("pixels", "head", "relu")
    e.layer = "pixels"
    e.feature_maps.off = [1]
    e.wait(60)
    np.testing.assert_allclose(bars(e), [0.2, plain[1], -0.5], rtol=1e-5)
    assert "road" not in e.feature_maps.effect
    assert "−0.50" in e.feature_maps.effect
    e._panels.switching.switch_all_on()
    e.wait(60)
    # A patch that hides a part.
    e.panel = "hide"
    e._panels.hiding._move(_move(4, 8, 6))
    e.wait(60)
    edited = X.clone()
    edited[:, :, 4:10, 8:14] = 0
    np.testing.assert_allclose(
        bars(e), net(edited)["out"][0].detach()[:, 4:10, 8:16].mean((1, 2)), rtol=1e-4, atol=1e-6
    )
    # The map is checked.
    e.panel = "look"
    e._panels.checking.check()
    e.wait(120)
    assert e._panels.checking._results.curves is not None
    # Its classes are compared.
    e._panels.comparing._compare(Wanted(("saliency",), "classes", (), (1, 2)))
    e.wait(60)
    for column, channel, slope in ((0, 0, 1), (1, 1, 2)):
        values = pushed(e.comparison, f"cell:0:{column}")[1]["values"]
        assert float(np.abs(values).max()) == pytest.approx(slope / 48, rel=1e-5), channel
        assert np.count_nonzero(values) == 48
    # Another photograph begins with all of it.
    e.picture = "two"
    settled(e)
    assert e.region == []
    np.testing.assert_allclose(bars(e), net(1 - X)["out"][0].detach().mean((1, 2)), rtol=1e-5)
    assert e.target == 2


def _move(top: int, left: int, size: int) -> Any:
    from cnnwidgets.widgets.occluder import Move

    return Move(1, ({"top": top, "left": left, "width": size, "height": size, "fill": "black", "color": "#000000"},))


@pytest.mark.parametrize(
    ("finish", "kind", "word"),
    [
        (lambda maps: maps.softmax(1), "softmax", "probability"),
        (lambda maps: maps.sigmoid(), "number", "value"),  # as a picture
        (lambda maps: maps[:, :1].sigmoid(), "sigmoid", "probability"),
        (lambda maps: maps[:, :1], "number", "score"),
        (lambda maps: maps[:, 0], "number", "score"),
        (lambda maps: maps.permute(0, 2, 3, 1), "number", "score"),
    ],
)
def test_maps_of_every_form(finish: Any, kind: str, word: str) -> None:
    class Finished(Segmenter):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return finish(super().forward(x)["out"])

    net = Finished().eval()
    e = cw.explore(net, X)
    maps = net(X).detach()
    expected = {(1, 3, 16, 24): (2, 3), (1, 1, 16, 24): (2, 3), (1, 16, 24): (1, 2), (1, 16, 24, 3): (1, 2)}
    np.testing.assert_allclose(bars(e), maps.mean(expected[tuple(maps.shape)]).flatten(), rtol=1e-5)
    assert e.scores.kind == kind
    assert f"mean {word} of" in e.overlay.explains


def test_detections_are_boxes_to_pick_from() -> None:
    net = Detector().eval()
    e = cw.explore(net, X, labels=["nothing", "cat", "dog"])
    scores = net(X)[0]["scores"].detach()
    sure = scores[scores >= 0.05]
    np.testing.assert_allclose(bars(e), sure, rtol=1e-6)
    assert e.overlay.picking == "marks"
    assert [mark["label"] for mark in e.overlay.marks] == [f"1 cat {sure[0]:.2f}", f"2 dog {sure[1]:.2f}"]
    assert [mark["box"] for mark in e.overlay.marks] == [[1, 2, 6, 8], [8, 12, 6, 10]]
    assert (e.target, e.overlay.marked) == (0, 0)
    e.overlay.marked = 1  # as a click does
    settled(e)
    assert e.target == 1
    assert e.overlay.explains.startswith("Explains how sure the detector is of dog in box 2;")
    e.method = "occlusion"
    settled(e)
    own = explainers.occlusion(net, X, detection(net(X)[0], 1), patch=2, stride=1)
    np.testing.assert_allclose(shown_map(e), own.values[0], atol=1e-6)
    outside = np.ones((16, 24), bool)
    outside[7:15, 11:23] = False
    assert np.abs(shown_map(e)[outside]).max() < 1e-6


@pytest.mark.parametrize(
    ("finish", "output"),
    [
        (lambda found: found[0], None),
        (lambda found: ({"loss": torch.zeros(())}, found), None),
        (lambda found: [SimpleNamespace(**one) for one in found], None),
        (lambda found: [{key: value.tolist() for key, value in one.items()} for one in found], None),
        (lambda found: {key: torch.stack([one[key] for one in found]) for key in found[0]}, None),
        (
            lambda found: [(one["boxes"], one["scores"], one["labels"]) for one in found],
            lambda raw: [dict(zip(("boxes", "scores", "labels"), one, strict=True)) for one in raw],
        ),
    ],
)
def test_detections_in_other_containers_are_no_classes(finish: Any, output: Any) -> None:
    class Other(Detector):
        def forward(self, images: torch.Tensor) -> Any:
            return finish(super().forward(images))

    e = settled(cw.explore(Other(0.2), X, output=output))
    red = X[0, 0]
    expected = [float(red[1:7, 2:10].mean()), 0.5 * float(red[8:14, 12:22].mean())]
    assert [e.scores.label(index) for index in (0, 1)] == ["label 1 (box 1)", "label 2 (box 2)"]
    np.testing.assert_allclose(bars(e), expected, rtol=1e-5)
    e.close()


def test_boxes_and_scores_that_nobody_named_are_refused() -> None:
    class Other(Detector):
        def forward(self, images: torch.Tensor) -> Any:
            (one,) = super().forward(images)
            return one["boxes"], one["scores"], one["labels"]

    with pytest.raises(InputError, match="scores beside as many boxes"):
        cw.explore(Other(), X)
    with pytest.raises(TargetError, match="scores beside as many boxes"):
        explainers.saliency(Other(), X)


@pytest.mark.parametrize("swapped", [False, True])
def test_maps_beside_the_features_that_they_are_made_of(swapped: bool) -> None:
    class Both(Segmenter):
        def forward(self, x: torch.Tensor) -> Any:
            features = self.pixels(x)
            maps = self.head(features.relu())
            return (maps, features) if swapped else (features, maps)

    e = settled(cw.explore(Both(), X, labels=LABELS))
    np.testing.assert_allclose(bars(e), Segmenter()(X)["out"].mean((0, 2, 3)).detach(), rtol=1e-5)
    assert any("several tensors that may be scores" in note for note in e._scene.picture.notes)
    e.close()


def test_another_photograph_has_other_detections() -> None:
    e = cw.explore(Detector(0.3).eval(), {"bright": torch.ones(1, 3, 16, 24), "dim": torch.full((1, 3, 16, 24), 0.4)})
    assert len(e.overlay.marks) == 2
    e.target = 1
    settled(e)
    e.picture = "dim"
    settled(e)
    assert (len(e.overlay.marks), e.target) == (1, 0)
    np.testing.assert_allclose(bars(e), [0.4], rtol=1e-6)


def test_a_detector_that_finds_nothing_says_so_and_opens() -> None:
    e = settled(cw.explore(Detector(2.0).eval(), X))
    assert bars(e).tolist() == [0.0]
    assert e.overlay.marks == []
    assert any("finds nothing in this photograph" in note for note in e._view.bar.notes)
    assert (e.status, e.layer) == ("ready", "pixels")


@pytest.mark.parametrize(
    ("finish", "outputs"),
    [
        (lambda t: t[:, :1], None),
        (lambda t: t[:, 0], None),
        (lambda t: t, "number"),
        (lambda t: t[:, 0].squeeze(), None),
    ],
)
def test_numbers_are_shown_as_numbers(finish: Any, outputs: Any) -> None:
    net = Numbers(4, finish).eval()
    e = cw.explore(net, X, outputs=outputs)
    expected = net(X).detach().flatten()
    np.testing.assert_allclose(bars(e), expected, rtol=1e-5)
    assert e.scores.kind == "number"
    assert "%" not in "".join(row.text for row in e.scores.shown)
    assert e.scores.label(0) == "output 0"
    e.method = "occlusion"
    settled(e)


def test_an_embedding_says_how_to_compare() -> None:
    net = Numbers(16, nn.functional.normalize).eval()
    e = cw.explore(net, X)
    assert "torch.cosine_similarity(out, reference)" in e.overlay.explains
    assert e.scores.kind == "number"
    reference = net(1 - X).detach()

    def alike(out: torch.Tensor) -> torch.Tensor:
        return torch.cosine_similarity(out, reference)

    e = cw.explore(net, X, target=alike)
    assert e.overlay.explains.startswith("Explains alike, a function of what the network returns")
    own = explainers.grad_cam(net, X, alike, layer=e.overlay.layer)
    np.testing.assert_allclose(shown_map(e), own.values[0], atol=1e-7)


class Odd(Segmenter):
    def forward(self, x: torch.Tensor) -> Any:
        return {"said": "hello", "tokens": super().forward(x)["out"].flatten(2)}


def test_a_function_alone_explains_outputs_that_are_no_table() -> None:
    net = Odd().eval()

    def green(outputs: Any) -> torch.Tensor:
        return outputs["tokens"][:, 2].mean(1)

    e = cw.explore(net, {"one": X, "two": 1 - X}, target=green)
    np.testing.assert_allclose(bars(e), net(X)["tokens"][:, 2].mean(1).detach(), rtol=1e-5)
    assert (e.scores.label(0), e.scores.kind) == ("green", "number")
    e.method = "occlusion"
    settled(e)
    own = explainers.occlusion(net, X, green, patch=2, stride=1)
    np.testing.assert_allclose(shown_map(e), own.values[0], atol=1e-6)
    e.picture = "two"
    settled(e)
    np.testing.assert_allclose(bars(e), net(1 - X)["tokens"][:, 2].mean(1).detach(), rtol=1e-5)


def test_a_function_for_a_segmentation_reads_it_as_alone() -> None:
    net = Segmenter().eval()
    e = cw.explore(net, X, target=mask_sum(2))
    np.testing.assert_allclose(bars(e), net(X)["out"][:, 2].sum((1, 2)).detach(), rtol=1e-5)
    assert e.scores.label(0) == "mask_sum(2)"


@pytest.mark.parametrize(
    ("finish", "says"),
    [
        (lambda _: "text", "str"),
        (lambda out: out["tokens"], r"\(1, 3, 384\)"),
        (lambda out: out["tokens"][:, :0], r"\(1, 0, 384\)"),
        (lambda out: out["tokens"].argmax(1), "int64"),
        (lambda _: [], "list"),
    ],
)
def test_what_cannot_be_read_says_what_came_and_what_to_pass(finish: Any, says: str) -> None:
    class Strange(Odd):
        def forward(self, x: torch.Tensor) -> Any:
            return finish(super().forward(x))

    with pytest.raises(InputError, match=says) as error:
        cw.explore(Strange().eval(), X)
    assert "output=lambda raw: raw.mean(1)" in str(error.value)
    assert "target=" in str(error.value)


def test_a_function_that_makes_no_scores_says_so() -> None:
    with pytest.raises(TargetError, match=r"returned shape \(1, 384\)"):
        cw.explore(Odd().eval(), X, target=lambda out: out["tokens"][:, 0])


def test_methods_that_weigh_whole_maps_say_that_they_mark_more_than_the_region() -> None:
    net = Segmenter().eval()
    x = torch.zeros(1, 3, 16, 24)
    x[:, 0, 2:6, 3:9] = x[:, 0, 10:12, 3:9] = 0.9
    e = cw.explore(net, x, labels=LABELS)
    assert not any("outside of the region" in note["text"] for note in e.overlay.notes)
    e.region = [2, 3, 4, 6]
    settled(e)
    assert shown_map(e)[11, 4] > 0  # the score does not depend on that place
    assert any("outside of the region" in note["text"] for note in e.overlay.notes)
    e.method = "hires_cam"
    settled(e)
    assert shown_map(e)[11, 4] == 0 < shown_map(e)[3, 4]
    assert not any("outside of the region" in note["text"] for note in e.overlay.notes)


def test_a_segmentation_network_of_torchvision() -> None:
    models = importlib.import_module("torchvision.models.segmentation")
    torch.manual_seed(2)
    net = models.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    x = torch.rand(1, 3, 32, 32)
    e = cw.explore(net, x)
    e.region = [8, 8, 16, 8]
    settled(e)
    mask = torch.zeros(32, 32)
    mask[8:24, 8:16] = 1 / 128
    np.testing.assert_allclose(bars(e)[e.target], mask_sum(e.target, mask)(net(x)).item(), rtol=1e-5)
    own = explainers.grad_cam(net, x, mask_sum(e.target, mask), layer=e.overlay.layer)
    np.testing.assert_allclose(shown_map(e), own.values[0], rtol=1e-4, atol=1e-9)


def test_no_column_of_numbers_is_said_to_be_what_the_network_says_now() -> None:
    e = cw.explore(Segmenter().eval(), X, labels=LABELS)
    e.panel = "hide"
    e._panels.hiding._move(_move(0, 0, 16))
    e.wait(60)
    said, _ = pushed(e.occluder, "scores")
    best = [row[1] for row in sorted(said["rows"], key=lambda row: -row[3])]
    assert best[0] != max(said["rows"], key=lambda row: row[2])[1]  # another mean is the highest
    assert said["now"] == said["first"]
    assert said["unit"] == "score"
