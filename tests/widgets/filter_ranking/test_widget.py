"""FilterRanking: what is sent, switches, groups, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.widgets._still.publish import newest_push, still_png
from cnnwidgets.widgets.filter_ranking import FilterRanking
from tests.widgets.parity import python_keys, typescript_keys


def test_a_ranking_is_sent_as_it_is() -> None:
    widget = FilterRanking()
    widget.show_ranking("conv1", torch.tensor([0.5, -2.0, torch.nan]), target_name="cat", score=4.0, notes=["a"])
    arrays, content = newest_push(widget, "ranking")
    np.testing.assert_array_equal(arrays["drops"], np.float32([0.5, -2, np.nan]))
    assert (content["score"], content["unit"], content["notes"], content["partial"]) == (4.0, "logit", ["a"], False)
    assert (widget.layer, widget.target_name) == ("conv1", "cat")
    assert still_png(widget) is not None
    widget.show_layer("conv2", "dog", "no module")
    assert not newest_push(widget, "ranking").arrays
    assert still_png(widget) is not None, "the hint"


def test_switches_from_the_page() -> None:
    widget = FilterRanking()
    for channel, off in ((7, True), (2, True), (7, False), (5, True)):
        widget._receive(None, {"op": "switch", "channel": channel, "off": off}, [])
    assert widget.off == [2, 5]
    widget._receive(None, {"op": "switch", "channel": 3, "off": "yes"}, [])
    assert widget.off == [2, 5]
    assert "expected true or false" in widget.error
    widget._receive(None, {"op": "choose", "channel": 4}, [])
    assert widget.channel == 4


def test_groups_send_their_strongest_filters_with_their_signs() -> None:
    parts = np.zeros((2, 12))
    parts[0, [3, 9]], parts[1, [0, 5]] = (0.5, -2.0), (1.0, 0.25)
    widget = FilterRanking()
    widget.hidden = [1]
    widget.show_groups(np.ones((2, 3, 4)), parts, explained=0.75, weights=[1.5, -0.5], signed=True)
    arrays, content = newest_push(widget, "groups")
    assert arrays["channels"][:, :2].tolist() == [[9, 3], [0, 5]]
    assert arrays["parts"][:, :2].tolist() == [[-2.0, 0.5], [1.0, 0.25]]
    assert arrays["weights"].tolist() == [1.5, -0.5]
    assert (content["explained"], content["signed"], widget.hidden) == (0.75, True, [])


@pytest.mark.parametrize(
    ("maps", "parts"), [((2, 3), (2, 5)), ((2, 3, 3), (3, 5)), ((11, 3, 3), (11, 5)), ((1, 3, 3), (5,))]
)
def test_groups_that_do_not_fit_are_refused(maps: tuple[int, ...], parts: tuple[int, ...]) -> None:
    with pytest.raises(cw.InputError, match=r"expected \(k, h, w\) and"):
        FilterRanking().show_groups(np.ones(maps), np.ones(parts), explained=1.0)


def test_drops_that_do_not_fit_are_refused() -> None:
    with pytest.raises(cw.InputError, match=r"shape \(2, 3\); expected one number a filter"):
        FilterRanking().show_ranking("a", np.ones((2, 3)))


def test_the_page_knows_the_same_traits() -> None:
    assert typescript_keys("FilterRankingState") == python_keys(FilterRanking)
