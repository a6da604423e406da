"""The pictures of the widgets for where no kernel runs."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.widgets._still import maps, publish
from cnnwidgets.widgets._still.publish import still_png
from tests.explorer import nets

SHARED = Path(cw.__file__).parent / "widgets" / "_shared"
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 255, (224, 224, 3)).astype(np.uint8)  # noise: the largest file


def _checked() -> cw.MapCheck:
    check = cw.MapCheck()
    check.offer()
    check.show_maps(RNG.normal(size=(4, 7, 7)), ["a", "b", "c"], [0.8, np.nan, 0.1])
    x = np.linspace(0, 1, 9)
    check.show_curves(x, 1 - x, x, RNG.random((2, 9)), RNG.random((2, 9)), unit="probability")
    check.conclude("The map changes.", "checked", "ok")
    return check


def _occluder() -> cw.Occluder:
    fills = ["grey", "mean", "blur", "black", "color"]
    patches: list[Any] = [
        {"top": 40 * k, "left": 8, "height": 30, "width": 300, "fill": fill} for k, fill in enumerate(fills)
    ]
    patches.append({"top": 0, "left": -9, "height": 9, "width": 9, "fill": "copy", "source": [100, 100]})
    occluder = cw.Occluder(PHOTO, patches=patches)
    occluder.show_scores([2.0, 1.0], [1.0, np.nan], ["cat", "dog"])
    return occluder


def _compared() -> cw.Comparison:
    comparison = cw.Comparison(PHOTO)
    comparison.start(["Grad-CAM", {"label": "Saliency", "single": True}], ["a", "b"], caption="cat")
    comparison.show_cell(0, 0, [[-1.0, 2.0]] * 2)
    comparison.fail_cell(0, 1, "Layer 'b' is not spatial.")
    comparison.show_cell(1, 0, RNG.normal(size=(3, 224, 224)))
    return comparison


MAKERS = {
    "overlay": lambda: cw.HeatmapOverlay(PHOTO, RNG.normal(size=(7, 7)), caption="layer4 → cat (1)", unit="u"),
    "overlay without a map": lambda: cw.HeatmapOverlay(PHOTO),
    "overlay that is not finite": lambda: cw.HeatmapOverlay(PHOTO, np.full((7, 7), np.nan)),
    "maps": lambda: cw.FeatureMaps(RNG.normal(size=(512, 56, 56)), layer="layer4", colormap="blue-red", scale="layer"),
    "maps that are not finite": lambda: cw.FeatureMaps(np.full((2, 3, 4), np.inf), layer="x"),
    "graph": lambda: cw.ArchitectureGraph(cw.trace(nets.plain(), torch.rand(1, 3, 24, 24)), selected="1"),
    "occluder": _occluder,
    "comparison": _compared,
    "scores": lambda: cw.ClassScores([0.0, -2.0, np.nan], labels=["קוד", "猫" * 90, "c"], score="logit"),
    "check": _checked,
    "filters": lambda: cw.FilterGallery(torch.rand(300, 3, 64, 64), layer="layer4", synthetic=True),
    "filter": cw.FilterPanel,
    "stepper": lambda: cw.ConvolutionStepper(
        np.sin(np.arange(243.0)).reshape(3, 9, 9), np.ones((3, 3, 3)), position=20
    ),
    "image input": lambda: cw.ImageInput(PHOTO),
    "explorer": lambda: cw.explore(nets.plain(), torch.rand(1, 3, 48, 48)),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_widget_carries_its_picture_and_a_sentence(kind: str) -> None:
    widget = MAKERS[kind]()
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"].endswith("The live widget needs a running kernel: run the cell again.")
    png = base64.b64decode(data["image/png"])
    assert 1_000 < len(png) < 150_000
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert pixels.shape[1] <= 640
    assert (pixels < 100).any()  # text, at least
    widget.close()


def test_an_empty_or_closed_widget_has_none() -> None:
    for widget in (cw.HeatmapOverlay(), cw.FeatureMaps(), cw.Occluder(), cw.Comparison()):
        data, _ = widget._repr_mimebundle_()
        assert "image/png" not in data
    explorer = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))
    explorer.close()
    assert still_png(explorer) is None


def test_a_picture_that_fails_does_not_take_the_widget_along(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = cw.HeatmapOverlay(PHOTO)
    monkeypatch.setattr(type(widget), "_still", lambda _: 1 / 0)
    data, _ = widget._repr_mimebundle_()
    assert set(data) >= {"application/vnd.jupyter.widget-view+json", "text/plain"}


def test_the_explorers_panels_know_network_and_photograph() -> None:
    explorer = cw.explore(nets.plain(), {"a.png": torch.rand(1, 3, 48, 48), "b.png": torch.rand(1, 3, 48, 48)})
    caption = explorer.overlay.caption
    assert explorer.overlay._still_title() == f"{caption} · a.png · Sequential"
    explorer.picture = "b.png"
    explorer.wait(60)
    assert explorer.occluder._still_title().endswith("b.png · Sequential")
    assert explorer._still_title() == "Explorer · b.png · Sequential"
    explorer.close()


def test_the_map_over_the_photograph_has_the_browsers_colours() -> None:
    photo = np.full((4, 4, 3), 100, np.uint8)
    look = cw.HeatmapOverlay(opacity=0.5, smooth=False)
    scale = maps.map_scale(np.float32([[0, 2], [-4, np.nan]]), None, "positive")
    pixels = np.asarray(maps.overlay(photo, scale, look, 4)).astype(int)
    through = (100, 100, 100)  # where the map says nothing
    half = [(100 + np.array(colour)) / 2 for colour in (through, (252, 255, 164), through, (255, 0, 255))]
    for corner, expected in zip((pixels[0, 0], pixels[0, 3], pixels[3, 0], pixels[3, 3]), half, strict=True):
        assert np.abs(corner - expected).max() <= 1
    signed = maps.map_scale(np.float32([[0, 2], [-4, 4]]), None, "signed")
    assert signed.ends == ("−4.00", "0", "+4.00")
    blank = np.asarray(maps.overlay(photo, maps.map_scale(np.float32([[-1.0]]), None, "positive"), look, 4))
    assert (blank == 100).all()  # nothing positive: nothing is painted


def test_a_map_is_stretched_as_torch_does() -> None:
    values = RNG.normal(size=(5, 7)).astype(np.float32)
    ours = maps.resampled(values, (31, 20), None, smooth=True)[0]
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (31, 20), mode="bilinear", align_corners=False
    )
    assert np.abs(ours - theirs[0, 0].numpy()).max() < 1e-6


@pytest.mark.parametrize("smooth", [False, True])
def test_a_map_lies_on_its_part_of_the_picture(smooth: bool) -> None:
    part, inside = maps.resampled(np.float32([[5, 7]]), (1, 8), (0.0, 0.25, 1.0, 0.75), smooth=smooth)
    assert inside.tolist() == [[False, False, True, True, True, True, False, False]]
    assert part[inside].tolist() == ([5, 5.5, 6.5, 7] if smooth else [5, 5, 7, 7])
    _, cut = maps.resampled(np.float32([[5, 7]]), (1, 4), (0.0, -0.5, 1.0, 0.4), smooth=smooth)
    assert cut.tolist() == [[True, True, False, False]]  # the centre of the second pixel is at 0.375


def test_clipped_maps_say_so() -> None:
    values = np.arange(100, dtype=np.float32).reshape(10, 10)
    scale = maps.map_scale(values, None, "positive", clip=5.0)
    assert scale.limit == pytest.approx(np.percentile(values, 95))
    assert scale.ends[2].startswith("≥ 94.0")


def test_colour_maps_are_those_of_the_browser() -> None:
    text = (SHARED.parent / "_maps" / "colormaps.ts").read_text()
    imported = re.search(r'^import ANCHORS from "\./([\w.]+)" with', text, re.MULTILINE)
    assert imported is not None
    theirs = json.loads((SHARED.parent / "_maps" / imported[1]).read_text())
    assert theirs == maps.ANCHORS


def test_the_style_sheet_knows_the_picture_by_its_beginning() -> None:
    png = still_png(cw.HeatmapOverlay(PHOTO))
    assert png is not None
    mark = re.search(r'img\[src\*="([\w+/]+)"\]', (SHARED / "base.css").read_text())
    assert mark is not None
    assert base64.b64encode(png).decode()[44:].startswith(mark[1])
    plain = io.BytesIO()
    Image.fromarray(PHOTO).save(plain, "png")
    assert mark[1] not in base64.b64encode(plain.getvalue()).decode()


def test_a_notebook_gets_two_outputs_and_colab_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell.instance()
    try:
        with capture_output() as captured:
            shell.display_formatter.format(cw.HeatmapOverlay(PHOTO))
        assert [sorted(output.data) for output in captured.outputs] == [
            ["application/vnd.jupyter.widget-view+json", "text/plain"],
            ["image/png"],
        ]
        monkeypatch.setattr(publish, "_of_one_output", lambda: True)
        with capture_output() as captured:
            shell.display_formatter.format(cw.HeatmapOverlay(PHOTO))
        assert ["image/png" in output.data for output in captured.outputs] == [True]
    finally:
        InteractiveShell.clear_instance()


def test_marimo_gets_a_picture_of_widgets_made_of_several() -> None:
    mime, png = cw.ClassScores([0.0, 2.0])._mime_()
    assert mime == "image/png"
    assert Image.open(io.BytesIO(png)).width > 500
    explorer = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))
    explorer.close()
    mime, text = explorer._mime_()
    assert mime == "text/plain"
    assert "HeatmapOverlay" in text
