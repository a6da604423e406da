"""FeatureMaps: what it sends, what it keeps, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from traitlets import TraitError

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.feature_maps.widget import COLORMAPS, SORTS
from tests.widgets.parity import WIDGETS, python_keys, typescript_keys

MAPS = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[memoryview]]]:
    """Every message to the browser."""
    messages: list[tuple[dict[str, Any], list[memoryview]]] = []
    monkeypatch.setattr(FeatureMaps, "send", lambda _, content, buffers=None: messages.append((content, buffers)))
    return messages


def arrays(message: tuple[dict[str, Any], list[memoryview]]) -> dict[str, np.ndarray[Any, Any]]:
    content, buffers = message
    return {
        head["name"]: np.frombuffer(buffer, head["dtype"]).reshape(head["shape"])
        for head, buffer in zip(content["arrays"], buffers, strict=False)
    }


def test_the_state_in_typescript_is_the_traits() -> None:
    assert typescript_keys("FeatureMapsState") == python_keys(FeatureMaps)


def test_the_choices_in_typescript_are_the_traits_choices() -> None:
    declared = re.findall(r'^  \["(\w+)", "sorted', (WIDGETS / "feature_maps" / "view.ts").read_text(), re.MULTILINE)
    assert sorted(declared) == sorted(SORTS)
    source = (WIDGETS / "_maps" / "colormaps.ts").read_text()
    assert set(COLORMAPS) == set(re.findall(r'^  \["([\w-]+)", "', source, re.MULTILINE))


def test_one_push_carries_the_maps_and_their_true_numbers(sent: list[Any]) -> None:
    widget = FeatureMaps()
    widget.show(MAPS, "conv1", receptive_field=(7, 5), note="layer called twice")
    assert len(sent) == 1
    content = sent[0][0]
    assert (content["kind"], content["layer"], content["receptive_field"]) == ("maps", "conv1", [7, 5])
    assert content["notes"] == ["layer called twice"]
    got = arrays(sent[0])
    assert got["maps"].tolist() == [[[0, 51, 102], [152, 203, 254]]] * 4
    assert got["minimum"].tolist() == [0, 6, 12, 18]
    assert got["maximum"].tolist() == [5, 11, 17, 23]
    assert got["mean"].tolist() == [2.5, 8.5, 14.5, 20.5]
    np.testing.assert_allclose(got["zeros"], [1 / 6, 0, 0, 0])
    assert widget.layer == "conv1"


@pytest.mark.parametrize(
    "maps",
    [
        torch.arange(24.0).reshape(1, 4, 2, 3).requires_grad_(),
        torch.arange(24.0).reshape(4, 2, 3).bfloat16(),
        torch.arange(24.0).reshape(4, 2, 3).half(),
        torch.arange(24).reshape(4, 2, 3),
        MAPS.tolist(),
    ],
    ids=["batch of one with grad", "bfloat16", "float16", "int64", "list"],
)
def test_tensors_and_lists_show_as_arrays_do(maps: Any, sent: list[Any]) -> None:
    FeatureMaps(maps, layer="a")
    FeatureMaps(MAPS, layer="a")
    for name, array in arrays(sent[0]).items():
        np.testing.assert_array_equal(array, arrays(sent[1])[name], err_msg=name)


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        (np.zeros((2, 3)), r"\(C, h, w\), got \(2, 3\)"),
        (np.zeros((2, 3, 4, 5)), r"got \(2, 3, 4, 5\). Pass one image's maps"),
        (np.zeros((0, 3, 3)), r"nothing to show in maps of shape \(0, 3, 3\)"),
        (np.zeros((2, 3, 3), complex), "complex128"),
        (torch.zeros(2, 2, 2, dtype=torch.complex64), "complex64"),
        ("maps", "real numbers"),
        ([["a"]], "real numbers"),
    ],
)
def test_what_is_no_stack_of_maps_is_refused_and_the_old_stays(maps: Any, words: str, sent: list[Any]) -> None:
    widget = FeatureMaps(MAPS, layer="before", channel=2)
    with pytest.raises(InputError, match=words):
        widget.show(maps, "after")
    assert (widget.layer, widget.channel, len(sent)) == ("before", 2, 1)


def test_ragged_lists_are_refused() -> None:
    with pytest.raises(InputError, match="array"):
        FeatureMaps([[[1.0], [1.0, 2.0]]])


def test_the_channel_stays_where_it_exists_and_is_cleared_where_not() -> None:
    widget = FeatureMaps(np.zeros((8, 2, 2)), layer="a", channel=3)
    widget.show(np.zeros((4, 1, 1)), "b")
    assert widget.channel == 3
    widget.show(np.zeros((3, 1, 1)), "c")
    assert widget.channel is None
    widget.show(np.zeros((3, 1, 1)), "c", channel=int(np.int64(2)))
    assert widget.channel == 2


@pytest.mark.parametrize("channel", [4, -1, 1000])
def test_a_channel_that_is_not_there_is_refused(channel: int) -> None:
    widget = FeatureMaps(MAPS, channel=1)
    with pytest.raises(TraitError, match=f"No channel {channel}: the layer has 4, 0 to 3"):
        widget.channel = channel
    with pytest.raises(TraitError, match="No channel"):
        widget.show(MAPS, channel=channel)
    assert widget.channel == 1


def test_a_channel_without_maps_is_refused() -> None:
    with pytest.raises(TraitError, match="no maps are on show"):
        FeatureMaps(channel=0)


def test_a_click_on_a_map_that_is_gone_is_undone_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = FeatureMaps(MAPS, channel=1)
    returned: list[Any] = []
    monkeypatch.setattr(widget, "send_state", returned.append)
    widget.set_state({"channel": 7, "sort": "mean"})
    assert (widget.channel, widget.sort, returned) == (1, "mean", ["channel"])
    widget.set_state({"channel": 3})
    assert widget.channel == 3
    widget.set_state({"channel": None})
    assert widget.channel is None


def test_contribution_is_bound_to_the_maps_it_was_computed_for(sent: list[Any]) -> None:
    widget = FeatureMaps()
    widget.show(MAPS, "conv1", contribution=[1, -2, 3, 0], target_name="tiger cat")
    maps, contribution = sent
    assert contribution[0]["maps_id"] == maps[0]["id"]
    assert contribution[0]["target"] == "tiger cat"
    assert arrays(contribution)["values"].tolist() == [1, -2, 3, 0]
    widget.show_contribution("conv1", torch.ones(4), "lynx")
    assert sent[2][0]["maps_id"] == maps[0]["id"]
    assert sent[2][0]["target"] == "lynx"
    widget.show_contribution("conv2", np.ones(4), "lynx")
    assert len(sent) == 3, "another layer's contribution is stale"
    widget.show(MAPS, "conv1")
    assert "contribution" not in widget._pushed, "another image's contribution must not be pulled by a new view"


def test_contribution_of_another_length_is_refused_before_anything_is_sent(sent: list[Any]) -> None:
    widget = FeatureMaps()
    with pytest.raises(InputError, match=r"each of the 4 channels, got float64 \(3,\)"):
        widget.show(MAPS, "conv1", contribution=np.ones(3))
    assert sent == []


def test_values_that_are_not_finite_are_said(sent: list[Any]) -> None:
    maps = MAPS.copy()
    maps[1, 0, :2] = np.nan, np.inf
    FeatureMaps(maps)
    assert sent[0][0]["notes"] == ["2 values are NaN or infinite, hatched in magenta."]


def test_clear_shows_a_sentence_and_no_maps(sent: list[Any]) -> None:
    widget = FeatureMaps(MAPS, layer="conv1", channel=2)
    widget.clear("classifier gives 1000 numbers, not maps", "classifier")
    content, _ = sent[-1]
    assert (content["kind"], content["arrays"]) == ("maps", [])
    assert content["message"] == "classifier gives 1000 numbers, not maps"
    assert (widget.layer, widget.channel) == ("classifier", None)
    widget.show_contribution("classifier", np.ones(4), "cat")
    assert len(sent) == 2


def test_picture(sent: list[Any]) -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    widget = FeatureMaps(picture=pixels)
    np.testing.assert_array_equal(arrays(sent[0])["pixels"], pixels)
    widget.set_picture(None)
    assert sent[1][0]["arrays"] == []
    for wrong in (np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8)):
        with pytest.raises(InputError, match=r"\(H, W, 3\) uint8"):
            widget.set_picture(wrong)


def test_a_new_view_gets_the_newest_maps(sent: list[Any]) -> None:
    widget = FeatureMaps(MAPS, layer="a")
    widget.show(MAPS + 1, "b")
    widget._receive(widget, {"op": "pull", "kind": "maps"}, [])
    assert sent[-1][0] is sent[1][0]


def test_cells_are_as_many_as_the_map_has() -> None:
    widget = FeatureMaps()
    with pytest.raises(InputError, match=r"shapes \(1, 2\) and \(2, 2\); expected \(2, 2\) and \(2, 2\)"):
        widget.show(np.ones((1, 2, 2)), cells=([[0, 1]], [[0, 0.5], [0.5, 1]]))
    with pytest.raises(InputError, match="begin and end"):
        widget.show(np.ones((1, 1, 1)), cells=([[1, 0]], [[0, 1]]))
    cells: list[tuple[int, int, int]] = []
    widget.on_cell = lambda *cell: cells.append(cell)
    widget._receive(None, {"op": "cell", "channel": 1, "row": 2, "column": 3}, [])
    widget._receive(None, {"op": "cell", "channel": 1, "row": -2, "column": 3}, [])
    assert cells == [(1, 2, 3)]
