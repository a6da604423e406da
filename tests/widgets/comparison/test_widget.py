from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.widgets.comparison import Comparison, Wanted
from cnnwidgets.widgets.comparison.cells import MOST
from tests.explorer.shown import pushed
from tests.widgets.parity import python_keys, typescript_keys

PICTURE = np.zeros((4, 6, 3), np.uint8)


def attribution(values: torch.Tensor, **changes: Any) -> Attribution:
    fields = {"method": "grad_cam", "target": (2,), "layer": "conv", "scores": torch.zeros(len(values)), **changes}
    return Attribution(values, **fields)


def cells(comparison: Comparison) -> set[str]:
    return {kind for kind in comparison._pushed if kind.startswith("cell:")}


def test_traits_are_those_of_the_typescript_state() -> None:
    assert python_keys(Comparison) == typescript_keys("ComparisonState")


def test_a_grid_fills_cell_by_cell() -> None:
    comparison = Comparison(PICTURE)
    comparison.start(["Grad-CAM", {"label": "Saliency", "single": True}], ["layer3", "layer4"], caption="cat")
    grid, _ = pushed(comparison, "grid")
    assert (grid["columns"], grid["caption"]) == (["layer3", "layer4"], "cat")
    assert [(row["label"], row["single"]) for row in grid["rows"]] == [("Grad-CAM", False), ("Saliency", True)]
    comparison.show_cell(0, 1, [[1.0, -2.0]], ["a note"], unit="u")
    message, arrays = pushed(comparison, "cell:0:1")
    assert arrays["values"].tolist() == [[1, -2]]
    assert (message["grid"], message["notes"], message["unit"]) == (grid["id"], ["a note"], "u")
    comparison.fail_cell(1, 0, "no pooled head")
    assert pushed(comparison, "cell:1:0")[0]["reason"] == "no pooled head"


def test_channels_are_merged_as_on_the_overlay() -> None:
    comparison = Comparison()
    comparison.start(["Saliency"], [""])
    comparison.show_cell(0, 0, [[[3.0]], [[-4.0]]])
    message, arrays = pushed(comparison, "cell:0:0")
    assert (arrays["values"].tolist(), arrays["magnitude"].tolist(), message["channels"]) == ([[-1]], [[4]], 2)


def test_a_map_of_many_places_is_sent_as_means_and_says_so() -> None:
    comparison = Comparison()
    comparison.start(["a"], [""])
    values = np.arange(4 * MOST * MOST, dtype=np.float32).reshape(2 * MOST, 2 * MOST)
    comparison.show_cell(0, 0, values)
    message, arrays = pushed(comparison, "cell:0:0")
    np.testing.assert_allclose(arrays["values"], values.reshape(MOST, 2, MOST, 2).mean((1, 3)), rtol=1e-6)
    assert message["notes"] == ["The map of 640 × 640 places is shown, with its range, as 320 × 320 means."]


def test_another_grid_frees_the_cells_of_the_one_before() -> None:
    comparison = Comparison(PICTURE)
    comparison.start(["a"], ["b", "c"])
    comparison.show_cell(0, 1, [[1.0]])
    comparison.start(["a"], ["b"])
    assert cells(comparison) == set()
    with pytest.raises(InputError, match=r"No cell \(0, 1\) in a grid of 1 rows and 1 columns"):
        comparison.show_cell(0, 1, [[1.0]])


def test_another_picture_takes_the_maps_away() -> None:
    comparison = Comparison.of(PICTURE, {("grad_cam", "conv"): attribution(torch.ones(1, 2, 2))})
    assert cells(comparison) == {"cell:0:0"}
    comparison.set_picture(PICTURE)
    assert (cells(comparison), pushed(comparison, "grid")[0]["rows"]) == (set(), [])


def test_a_dict_of_attributions() -> None:
    maps = {
        ("grad_cam", "layer3"): attribution(torch.full((2, 1, 1), 3.0), notes=("frozen",)),
        ("hires_cam", "layer4"): attribution(torch.full((1, 1, 1), 4.0), method="hires_cam"),
        ("grad_cam", "layer4"): attribution(torch.full((1, 1, 1), 5.0)),
    }
    comparison = Comparison.of(PICTURE, maps, caption="cat", scale="own")
    grid, _ = pushed(comparison, "grid")
    assert ([row["label"] for row in grid["rows"]], grid["columns"]) == (
        ["Grad-CAM", "HiResCAM"],
        ["layer3", "layer4"],
    )
    shown = {kind: pushed(comparison, kind)[1]["values"].item() for kind in cells(comparison)}
    assert shown == {"cell:0:0": 3, "cell:0:1": 5, "cell:1:1": 4}
    assert pushed(comparison, "cell:0:0")[0]["notes"] == ["frozen"]
    assert pushed(comparison, "cell:1:1")[0]["unit"] == "activation times gradient"
    assert comparison.scale == "own"


def test_a_heading_of_the_readers_own_stays_as_it_is() -> None:
    maps = {("grad_cam of run_2", "conv"): attribution(torch.ones(1, 2, 2))}
    assert pushed(Comparison.of(PICTURE, maps), "grid")[0]["rows"][0]["label"] == "grad_cam of run_2"


def test_a_map_of_another_shape_than_the_picture_is_refused_or_noted() -> None:
    maps = {("grad_cam", "conv"): attribution(torch.ones(1, 7, 7))}
    wide = np.zeros((224, 448, 3), np.uint8)
    with pytest.raises(InputError, match=r"The map has 7 × 7 cells .*the picture 224 × 448 pixels"):
        Comparison.of(wide, maps)
    shown = Comparison.of(wide, maps, stretch=True)
    assert "each stands for 32 × 64" in pushed(shown, "cell:0:0")[0]["notes"][0]
    assert pushed(Comparison.of(wide[:, ::2], maps), "cell:0:0")[0]["notes"] == []


def test_a_single_map_with_its_leading_axis_is_signed_and_a_gradient_of_one_channel_is_not() -> None:
    comparison = Comparison()
    comparison.start(["a", "b"], [""])
    comparison.show_cell(0, 0, [[[-2.0]]])
    comparison.show_attribution(1, 0, attribution(torch.full((1, 1, 1, 1), -2.0), method="saliency"))
    assert [pushed(comparison, f"cell:{row}:0")[0]["channels"] for row in (0, 1)] == [0, 1]
    assert "magnitude" not in pushed(comparison, "cell:0:0")[1]
    assert pushed(comparison, "cell:1:0")[1]["magnitude"].item() == 2


def test_a_press_of_compare_and_cancel() -> None:
    asked: list[Any] = []
    comparison = Comparison()
    comparison.on_compare(asked.append)
    comparison.on_cancel(lambda: asked.append("cancel"))
    comparison.error = "old"
    choice = {"methods": ["cam"], "axis": "classes", "layers": [], "classes": [3, 1]}
    comparison._receive(None, {"op": "compare", "id": 1, **choice}, [])
    comparison._receive(None, {"op": "cancel", "id": 2}, [])
    assert asked == [Wanted(("cam",), "classes", (), (3, 1)), "cancel"]
    assert comparison.error == ""


def test_an_error_of_the_answer_is_shown() -> None:
    def refuse(_: Wanted) -> None:
        raise InputError("No method is ticked.")

    comparison = Comparison()
    comparison.on_compare(refuse)
    comparison._receive(None, {"op": "compare", "methods": [], "axis": "layers", "layers": [], "classes": []}, [])
    assert comparison.error == "No method is ticked."


@pytest.mark.parametrize("row", [{"note": "x"}, {"label": 3}, {"label": "a", "colour": "red"}])
def test_a_row_of_another_kind_is_refused(row: Any) -> None:
    with pytest.raises(InputError, match="expected its label"):
        Comparison().start([row], ["a"])


@pytest.mark.parametrize("values", [[1.0], [[[[1.0]]]], [["a"]], np.zeros((0, 2))])
def test_a_map_of_another_kind_is_refused(values: Any) -> None:
    comparison = Comparison()
    comparison.start(["a"], ["b"])
    with pytest.raises(InputError, match="expected"):
        comparison.show_cell(0, 0, values)
    assert cells(comparison) == set()


def test_anything_with_the_attributes_of_an_attribution() -> None:
    comparison = Comparison()
    comparison.start(["a"], ["b"])
    comparison.show_attribution(0, 0, SimpleNamespace(values=np.ones((1, 2, 2)), method="mine", notes=()))
    assert pushed(comparison, "cell:0:0")[0]["unit"] == ""


@pytest.mark.parametrize("wrong", [{"axis": "rows"}, {"scale": "both"}, {"clip": 6}, {"opacity": 2}])
def test_values_outside_a_traits_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(traitlets.TraitError):
        Comparison(**wrong)


def test_closing_frees_everything() -> None:
    comparison = Comparison.of(PICTURE, {("a", "b"): attribution(torch.ones(1, 2, 2))})
    comparison.on_compare(lambda _: None)
    comparison.close()
    assert comparison._pushed == {}
