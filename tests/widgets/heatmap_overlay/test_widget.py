from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.widgets._maps.traits import DIVERGING, SEQUENTIAL
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from tests.widgets.parity import WIDGETS, python_keys, typescript_keys

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def pushed(overlay: HeatmapOverlay, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the browser would read: the message, and its arrays decoded from the bytes."""
    message, buffers = overlay._pushed[kind]
    arrays = {}
    for header, buffer in zip(message["arrays"], buffers, strict=False):
        count = int(np.prod(header["shape"]))
        arrays[header["name"]] = np.frombuffer(buffer, header["dtype"], count).reshape(header["shape"])
    return message, arrays


def attribution(values: torch.Tensor, **changes: Any) -> Attribution:
    fields = {"method": "saliency", "target": (282,), "layer": None, "scores": torch.zeros(len(values)), **changes}
    return Attribution(values, **fields)


def test_traits_are_those_of_the_typescript_state() -> None:
    assert python_keys(HeatmapOverlay) == typescript_keys("OverlayState")


@pytest.mark.parametrize(("name", "choices"), [("SEQUENTIAL", SEQUENTIAL), ("DIVERGING", DIVERGING)])
def test_colour_maps_are_those_of_the_browser(name: str, choices: tuple[str, ...]) -> None:
    source = (WIDGETS / "_maps" / "colormaps.ts").read_text()
    listed = source.split(f"export const {name} = [")[1].split("] as const")[0]
    assert [line.split('"')[1] for line in listed.strip().splitlines()] == list(choices)


def test_the_picture_arrives_pixel_for_pixel() -> None:
    overlay = HeatmapOverlay(PICTURE[:, ::-1])
    assert np.array_equal(pushed(overlay, "picture")[1]["pixels"], PICTURE[:, ::-1])


@pytest.mark.parametrize(
    "picture",
    [PICTURE / 255, PICTURE[:, :, 0], PICTURE[:, :, :2], PICTURE[:0], PICTURE[None]],
    ids=["float", "grey", "two channels", "empty", "batch"],
)
def test_a_picture_of_another_kind_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected uint8 of shape \(H, W, 3\)"):
        HeatmapOverlay().set_picture(picture)


def test_a_new_picture_takes_the_old_map_away() -> None:
    overlay = HeatmapOverlay(PICTURE, [[1.0, 2.0]], caption="layer4 → cat")
    overlay.set_picture(PICTURE)
    assert pushed(overlay, "map")[1] == {}
    assert overlay.caption == ""


def test_numbers_arrive_as_they_are() -> None:
    overlay = HeatmapOverlay()
    overlay.show([[-3.5, np.nan, 1e300], [0, 2, -np.inf]], caption="c", unit="u", partial=True)
    message, arrays = pushed(overlay, "map")
    np.testing.assert_array_equal(arrays["values"], np.float32([[-3.5, np.nan, np.inf], [0, 2, -np.inf]]))
    assert (overlay.caption, overlay.unit) == ("c", "u")
    assert message["partial"] is True


def test_what_is_shown_does_not_change_with_the_callers_array() -> None:
    values = np.ones((2, 2), np.float32)
    overlay = HeatmapOverlay(PICTURE, values)
    values[:] = 9
    assert pushed(overlay, "map")[1]["values"].tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_tensors_of_any_real_type_with_gradients(dtype: torch.dtype) -> None:
    values = torch.tensor([[1.0, 0.0]]).to(dtype)
    overlay = HeatmapOverlay(PICTURE)
    overlay.show(values.requires_grad_() if dtype.is_floating_point else values)
    assert pushed(overlay, "map")[1]["values"].tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    "values",
    [[1.0, 2.0], [[[1.0]], [[2.0]]], np.zeros((0, 3)), [["a"]], [[1j]], [[1.0], [1.0, 2.0]], None],
    ids=["1-d", "3-d", "empty", "text", "complex", "ragged", "none"],
)
def test_a_map_of_another_kind_is_refused_and_the_old_one_stays(values: Any) -> None:
    overlay = HeatmapOverlay(PICTURE, [[5.0]], caption="old")
    with pytest.raises(InputError, match=r"expected .*\(h, w\)"):
        overlay.show(values, caption="new")
    assert pushed(overlay, "map")[1]["values"].tolist() == [[5.0]]
    assert overlay.caption == "old"


def test_signed_turns_the_view_and_none_leaves_the_readers_choice() -> None:
    overlay = HeatmapOverlay(PICTURE, sign="negative")
    overlay.show([[1.0, -1.0]])
    assert overlay.sign == "negative"
    overlay.show([[1.0, -1.0]], signed=True)
    assert overlay.sign == "signed"


@pytest.mark.parametrize(("values", "unsigned"), [([[0.0, 2.0]], True), ([[0.0, -2.0]], False)])
def test_a_map_without_sign_offers_none_unless_it_has_one(values: list[list[float]], unsigned: bool) -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show(values, signed=False)
    assert pushed(overlay, "map")[0]["unsigned"] is unsigned


def test_notes() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show([[1.0]], notes=["2 of 17 ReLUs could not be guided", {"level": "ok", "text": "checked"}])
    assert overlay.notes == [
        {"level": "warn", "text": "2 of 17 ReLUs could not be guided"},
        {"level": "ok", "text": "checked"},
    ]
    with pytest.raises(InputError, match="expected a sentence"):
        overlay.show([[1.0]], notes=[{"level": "bad", "text": ""}])


def test_a_cam_shows_its_first_image() -> None:
    values = torch.tensor([[[1.0, -2.0]], [[7.0, 7.0]]])
    overlay = HeatmapOverlay.of(
        PICTURE, attribution(values, method="grad_cam", layer="layer4", target=(3, 5), notes=("frozen",))
    )
    message, arrays = pushed(overlay, "map")
    assert arrays["values"].tolist() == [[1.0, -2.0]]
    assert message["channels"] == 0
    assert overlay.caption == "Grad-CAM · layer4 → class 3 · image 1 of 2"
    assert overlay.unit == "weighted activation"
    assert overlay.notes == [{"level": "warn", "text": "frozen"}]


def test_channels_of_a_gradient_are_merged_by_magnitude_and_by_sum() -> None:
    values = torch.tensor([[[[1.0, 2.0]], [[-4.0, torch.inf]], [[2.0, 0.0]]]])
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(attribution(values))
    message, arrays = pushed(overlay, "map")
    np.testing.assert_array_equal(arrays["magnitude"], [[4.0, np.nan]])
    np.testing.assert_array_equal(arrays["values"], [[-1.0, np.nan]])
    assert message["channels"] == 3
    assert overlay.caption == "Saliency → class 282"


def test_the_explorers_own_words_replace_the_caption_and_follow_the_notes() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(
        attribution(torch.ones(1, 2, 2), notes=("a",)),
        caption="tiger cat",
        unit="",
        notes=[{"level": "ok", "text": "b"}],
    )
    assert (overlay.caption, overlay.unit) == ("tiger cat", "")
    assert [note["text"] for note in overlay.notes] == ["a", "b"]


def test_an_attribution_of_another_shape_is_refused() -> None:
    odd = SimpleNamespace(values=np.zeros((2, 2)), method="mine", target=(0,), layer=None, notes=())
    with pytest.raises(InputError, match=r"expected \(N, h, w\) or \(N, C, H, W\)"):
        HeatmapOverlay(PICTURE).show_attribution(odd)


def test_clear_leaves_the_picture_and_says_why() -> None:
    overlay = HeatmapOverlay(PICTURE, [[1.0]], caption="c", notes=[{"level": "ok", "text": "t"}])
    overlay.clear("'fc' is not spatial")
    message, arrays = pushed(overlay, "map")
    assert (message["message"], arrays) == ("'fc' is not spatial", {})
    assert (overlay.caption, overlay.notes) == ("", [])
    assert "picture" in overlay._pushed


@pytest.mark.parametrize(
    "wrong",
    [{"opacity": 1.5}, {"colormap": "jet"}, {"diverging": "inferno"}, {"sign": "both"}, {"methods": [["a", "b"]]}],
)
def test_values_outside_a_traits_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(traitlets.TraitError):
        HeatmapOverlay(**wrong)


def test_a_misspelt_keyword_is_named() -> None:
    with pytest.raises(TypeError, match="Did you mean 'opacity'"):
        HeatmapOverlay(opacty=0.5)
