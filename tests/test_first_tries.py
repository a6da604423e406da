"""What a user types first works, or the message says what to pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.pictures.picture import load_picture

PIXELS = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
PIL = Image.fromarray(PIXELS)
X = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


@pytest.fixture(scope="module")
def attribution(net: nn.Module) -> cw.Attribution:
    return cw.explainers.grad_cam(net, X)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("first") / "cat.png"
    PIL.save(file)
    return file


def drawn(figure: Any) -> np.ndarray:
    """The photograph under the first map."""
    return np.asarray(figure.axes[0].images[0].get_array())


def said(figure: Any) -> str:
    """The notes under the maps; each line fits into the figure."""
    text = figure.get_supxlabel()
    assert max(map(len, text.splitlines()), default=0) <= 70
    return text.replace("\n", " ")


@pytest.mark.parametrize("kind", ["PIL", "path", "str", "array", "list", "picture"])
def test_plot_over_a_photograph(kind: str, attribution: cw.Attribution, path: Path) -> None:
    image = {"PIL": PIL, "path": path, "str": str(path), "array": PIXELS, "list": [PIL], "picture": load_picture(PIL)}
    figure = attribution.plot(image[kind])
    assert len(figure.axes[0].images) == 2
    if kind != "picture":
        np.testing.assert_array_equal(drawn(figure), PIXELS)
        assert "as if the network saw all of it" in said(figure)
    else:
        assert "as if" not in said(figure)


@pytest.mark.parametrize("image", [X, X[0], X.clone().requires_grad_(), X.numpy()])
def test_plot_over_what_the_network_was_given(image: Any, attribution: cw.Attribution) -> None:
    figure = attribution.plot(image)
    assert drawn(figure).shape == (32, 32, 3)
    assert "as if" not in said(figure)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.cat([X, X]), "1 maps and 2 images"),
        ([PIL, PIL], "1 maps and 2 images"),
        (7, "Got a int"),
        ("no such file.png", "No image file"),
        (X[0, 0], r"shape \(32, 32\)"),
        (X.to("meta"), "meta"),
    ],
)
def test_plot_says_what_it_takes(image: Any, words: str, attribution: cw.Attribution) -> None:
    with pytest.raises(InputError, match=words):
        attribution.plot(image)


def test_of_a_photograph_in_other_proportions_the_centre_is_under_the_map(
    attribution: cw.Attribution, tmp_path: Path
) -> None:
    wide = np.random.default_rng(1).integers(0, 255, (30, 50, 3), np.uint8)
    centre = wide[:, 10:40]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for picture in (Image.fromarray(wide), tmp_path / "wide.png"):
        figure = attribution.plot(picture)
        np.testing.assert_array_equal(drawn(figure), centre)
        assert "the photograph's centre, 30 x 30 of 30 x 50 pixels" in said(figure)
        for overlay in (cw.HeatmapOverlay(picture, attribution), cw.HeatmapOverlay.of(picture, attribution)):
            np.testing.assert_array_equal(sent(overlay, "picture", "pixels"), centre)
            notes = [note["text"] for note in overlay.notes]
            assert sum("the photograph's centre, 30 x 30 of 30 x 50 pixels" in note for note in notes) == 1
            assert not any("whole photograph" in note for note in notes)
    stretched = cw.HeatmapOverlay(Image.fromarray(wide), attribution, stretch=True)
    np.testing.assert_array_equal(sent(stretched, "picture", "pixels"), wide)
    # An array is what the network saw, or it is not.
    with pytest.raises(InputError, match="another shape"):
        cw.HeatmapOverlay(wide, attribution)
    # Not the map, a square, but what the network was given has the proportions of the part.
    oblong = torch.rand(1, 3, 20, 40, generator=torch.Generator().manual_seed(1))
    net = nn.Sequential(nn.Conv2d(3, 4, (1, 2), stride=(1, 2)), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    under = drawn(cw.explainers.grad_cam(net, oblong, layer="0").plot(Image.fromarray(wide)))
    np.testing.assert_array_equal(under, wide[2:27])  # 25 x 50 of 30 x 50


def sent(widget: Any, kind: str, name: str) -> np.ndarray:
    message, buffers = widget._pushed[kind]
    at = [header["name"] for header in message["arrays"]].index(name)
    header = message["arrays"][at]
    return np.frombuffer(buffers[at], header["dtype"]).reshape(header["shape"])


@pytest.mark.parametrize("kind", ["PIL", "path", "array", "picture"])
def test_an_overlay_of_a_photograph_and_an_attribution(kind: str, attribution: cw.Attribution, path: Path) -> None:
    picture = {"PIL": PIL, "path": path, "array": PIXELS, "picture": load_picture(X)}[kind]
    overlay = cw.HeatmapOverlay(picture, attribution)
    np.testing.assert_array_equal(sent(overlay, "map", "values"), attribution.values[0].numpy())
    if kind != "picture":
        np.testing.assert_array_equal(sent(overlay, "picture", "pixels"), PIXELS)
    assert any("whole photograph" in note["text"] for note in overlay.notes) == (kind in ("PIL", "path"))
    assert "1" in overlay.caption


def test_widgets_take_photographs_and_activations(net: nn.Module, attribution: cw.Attribution, path: Path) -> None:
    maps = net[0](X)
    assert maps.requires_grad
    feature_maps = cw.FeatureMaps(maps, picture=PIL)
    np.testing.assert_allclose(sent(feature_maps, "maps", "maximum"), maps[0].detach().flatten(1).amax(1).numpy())
    for widget in (feature_maps, cw.Occluder(PIL), cw.Occluder(path), cw.Comparison(str(path))):
        np.testing.assert_array_equal(sent(widget, "picture", "pixels"), PIXELS)
    for maps_by in ({("grad_cam", "0"): attribution}, {"grad_cam": attribution}, {"mine": attribution.values}):
        shown = sent(cw.Comparison.of(PIL, maps_by), "cell:0:0", "values")
        np.testing.assert_array_equal(shown, attribution.values[0].numpy())


def test_scores_as_the_model_returns_them(net: nn.Module) -> None:
    scores = net(X)
    assert scores.requires_grad
    shares = scores.softmax(1)[0].tolist()
    for labels in (["a", "b", "c"], {0: "a", 1: "b", 2: "c"}, np.array(["a", "b", "c"]), iter("abc"), ("a", "b", "c")):
        widget = cw.ClassScores(scores, labels=labels)
        rows = {widget.label(row.index): row.value for row in widget.shown}
        assert rows == pytest.approx(dict(zip("abc", shares, strict=True)), rel=1e-5)
    with pytest.raises(InputError, match="no order"):
        cw.ClassScores(scores, labels={"a", "b", "c"})
    with pytest.raises(InputError, match="those of 2 images"):
        cw.ClassScores(torch.cat([scores, scores]))
    with pytest.raises(InputError, match=r"model\(x\)\[0\]"):
        cw.ClassScores((scores, scores))
    with pytest.raises(InputError, match="complex64"):
        cw.ClassScores(scores.detach() * 1j)


WRONG: dict[str, tuple[Any, str]] = {
    "explore swapped": (lambda n, _a: cw.explore(PIL, n), "wrong way round"),
    "explore swapped tensor": (lambda n, _a: cw.explore(X, n), "wrong way round"),
    "explore a name": (lambda _n, _a: cw.explore("resnet50", PIL), "the model itself, not its class, its name"),
    "explore an address": (lambda n, _a: cw.explore(n, "https://a.b/c.jpg"), "Download it, pass the file"),
    "explore a list of lists": (lambda n, _a: cw.explore(n, [[PIL], [PIL]]), "Of several images pass one"),
    "explore labels": (lambda n, _a: cw.explore(n, X, labels={"a", "b", "c"}), "no order"),
    "explain a photograph": (lambda n, _a: cw.explainers.grad_cam(n, PIL), "load_picture"),
    "explain one of a batch": (lambda n, _a: cw.explainers.grad_cam(n, X[0]), r"images\[None\]"),
    "graph of a model": (lambda n, _a: cw.ArchitectureGraph(n), r"cnnwidgets\.trace\(model"),
    "trace a photograph": (lambda n, _a: cw.trace(n, PIL), "load_picture"),
    "trace an array": (lambda n, _a: cw.trace(n, PIXELS), "load_picture"),
    "overlay of an attribution alone": (lambda _n, a: cw.HeatmapOverlay(a), "picture comes first"),
    "overlay of a tensor": (lambda _n, a: cw.HeatmapOverlay(X, a), r"load_picture\(tensor, model\)\.pixels"),
    "overlay.of values": (lambda _n, _a: cw.HeatmapOverlay.of(PIL, [[1.0]]), r"HeatmapOverlay\(picture, values\)"),
    "show an attribution": (lambda _n, a: cw.HeatmapOverlay(PIL).show(a), "show_attribution"),
    "maps of a model": (lambda n, _a: cw.FeatureMaps(n), r"outputs\['layer'\]\[0\]"),
    "compare a list": (lambda _n, a: cw.Comparison.of(PIL, [a]), "expected a mapping"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_the_message_says_what_to_pass(kind: str, net: nn.Module, attribution: cw.Attribution) -> None:
    call, words = WRONG[kind]
    with pytest.raises(CnnWidgetsError, match=words):
        call(net, attribution)


def test_one_sentence_on_the_checks_in_any_order(net: nn.Module, attribution: cw.Attribution) -> None:
    curves = cw.checks.insertion_deletion(net, X, attribution, steps=2, repeats=2)
    randomised = cw.checks.randomised(net, X, attribution)
    sentence = cw.checks.sentence
    assert sentence(curves) == sentence(curves=curves) != sentence()
    assert (
        sentence(randomised, curves)
        == sentence(curves, randomised)
        == sentence(curves=curves, randomisation=randomised)
    )
    for wrong in ((randomised, randomised), (attribution,)):
        with pytest.raises(InputError, match="or one of each"):
            sentence(*wrong)


def test_completion_offers_public_names_alone(net: nn.Module) -> None:
    assert set(dir(cw)) == set(cw.__all__)
    assert set(dir(cw.explainers)) == {*cw.explainers.__all__, *cw.explainers.names()}
    for room in (cw.checks, cw.incremental):
        assert set(dir(room)) == set(room.__all__)


def test_a_closed_explorer_says_so(net: nn.Module) -> None:
    e = cw.explore(net, X)
    assert "layer='1'" in repr(e)
    e.close()
    assert repr(e) == "Explorer(closed)"
