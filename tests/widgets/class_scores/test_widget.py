"""ClassScores: what it shows, and what a click does."""

from __future__ import annotations

import numpy as np
import pytest

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.widgets.class_scores import ClassScores
from cnnwidgets.widgets.class_scores.ranking import class_shares, ranked
from tests.widgets.parity import python_keys, typescript_keys

NUMBERS = "Numbers, not probabilities. The bars' own scale: −2.00 to 31.50."
APART = "Independent probabilities: they need not add up to 100 %."
LOGITS = np.log([0.1, 0.6, 0.3])


def test_probabilities_are_softmax_also_of_large_logits() -> None:
    np.testing.assert_allclose(class_shares(LOGITS + 1e4), [0.1, 0.6, 0.3], rtol=1e-6)


def test_both_languages_have_the_same_traits() -> None:
    assert typescript_keys("ClassScoresState") == python_keys(ClassScores)


def test_rows_are_ranked_and_read_as_percent() -> None:
    scores = ClassScores(LOGITS, labels=["a", "b", "c"], target=1)
    assert [(row.index, row.text) for row in scores.shown] == [(1, "60.0 %"), (2, "30.0 %"), (0, "10.0 %")]
    np.testing.assert_allclose(scores.bars, [[0, 0.6], [0, 0.3], [0, 0.1]], rtol=1e-6)


def test_a_target_outside_the_top_takes_the_last_row() -> None:
    rows = ranked(np.arange(10.0), score="logit", top=3, target=0)
    assert [row.index for row in rows] == [9, 8, 0]
    assert [row.text for row in rows] == ["9.00", "8.00", "0.00"]


def test_logits_below_zero_reach_the_axis() -> None:
    scores = ClassScores([-2.0, 1.0])
    scores.score = "logit"
    assert scores.bar_scale == (-2.0, 1.0)
    np.testing.assert_allclose(scores.bars, [[2 / 3, 1], [0, 2 / 3]])
    assert scores.shown[1].text == "−2.00"


def test_a_click_selects() -> None:
    scores = ClassScores(LOGITS)
    scores.set_state({"target": 2})
    assert scores.target == 2
    assert scores.names == ["class 1", "class 2", "class 0"]


def test_nan_is_said_not_drawn() -> None:
    scores = ClassScores([1.0, np.nan, 2.0])
    assert {row.text for row in scores.shown} == {"NaN"}
    assert scores.bars == [[0.0, 0.0]] * 3


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        ClassScores(np.zeros((2, 2)))
    with pytest.raises(InputError, match="1 labels for 2 classes"):
        ClassScores([0.0, 1.0], labels=["a"])
    scores = ClassScores(LOGITS, target=1)
    with pytest.raises(TargetError, match="Class 3 is out of range"):
        scores.target = 3
    assert scores.target == 1


def test_clear_says_why_and_close_frees() -> None:
    scores = ClassScores(LOGITS)
    scores.clear("No scores: the model returns maps.")
    assert scores.message == "No scores: the model returns maps."
    assert scores.rows == []
    scores.close()
    assert repr(scores) == "ClassScores(0 classes)"


def test_probabilities_are_not_put_through_a_softmax_again() -> None:
    scores = ClassScores([0.5, 0.3, 0.1, 0.1])
    assert [row.text for row in scores.shown] == ["50.0 %", "30.0 %", "10.0 %", "10.0 %"]


def test_a_single_output_is_shown_as_it_is() -> None:
    assert [row.text for row in ClassScores([-0.11]).shown] == ["−0.11"]


def test_moved_scores_keep_names_and_target() -> None:
    scores = ClassScores([3.0, 1.0, 0.0], labels=["cat", "dog", "fox"], target=0)
    pushed = scores._pushed["classes"]
    scores.move([0.0, 1.0, 3.0])
    assert [row.index for row in scores.shown] == [2, 1, 0]
    assert scores.target == 0
    assert scores.names == ["fox", "dog", "cat"]
    assert scores._pushed["classes"] is pushed
    with pytest.raises(InputError, match="there are 3 classes"):
        scores.move([1.0])


@pytest.mark.parametrize(
    ("scores", "kind", "texts", "remark"),
    [
        ([2.0, 0.0], "independent_logits", ["88.1 %", "50.0 %"], APART),
        ([0.863, 0.7], "sigmoid", ["86.3 %", "70.0 %"], APART),
        ([0.25, 0.75], "sigmoid", ["75.0 %", "25.0 %"], APART),
        ([0.25, 0.75], "logits", ["62.2 %", "37.8 %"], ""),
        (np.log([0.1, 0.9]), "log_softmax", ["90.0 %", "10.0 %"], ""),
        ([31.5, -2.0], "number", ["31.50", "−2.00"], NUMBERS),
        ([0.863], "sigmoid", ["86.3 %"], ""),
        ([2.0], "logit", ["88.1 %"], ""),
        ([0.5, 0.9], None, ["59.9 %", "40.1 %"], 'Taken for logits; if each is a probability, pass kind="sigmoid".'),
        ([2.0], None, ["2.00"], "The network's own number, not a probability. The bars' own scale: 0.00 to 2.00."),
    ],
)  # fmt: skip
def test_what_the_scores_are_decides_how_they_read(scores, kind, texts, remark) -> None:
    widget = ClassScores(scores, kind=kind)
    assert [row.text for row in widget.shown] == texts
    assert (widget.remark, widget.kind) == (remark, kind)


@pytest.mark.parametrize("kind", [None, "logits", "softmax", "sigmoid", "independent_logits"])
def test_bars_of_probabilities_reach_from_0_to_100_percent(kind) -> None:
    widget = ClassScores([0.5, 0.3, 0.2], kind=kind)
    assert widget.bar_scale == (0.0, 1.0)
    widget.move([0.6, 0.2, 0.2])
    assert widget.bar_scale == (0.0, 1.0)
    assert widget.bars[0] == [0.0, widget.shown[0].value]


def test_more_classes_are_shown_on_demand_up_to_20() -> None:
    widget = ClassScores(np.arange(30.0), target=3)
    assert (len(widget.shown), widget.has_more) == (6, True)
    widget.more = True
    assert [row.index for row in widget.shown] == [*range(29, 10, -1), 3]
    assert len(widget.bars) == len(widget.names) == 20
    widget.more = False
    assert [row.index for row in widget.shown] == [29, 28, 27, 26, 25, 3]
    assert not ClassScores(np.arange(6.0)).has_more


def test_the_search_is_told_which_classes_are_the_likeliest_now() -> None:
    widget = ClassScores([0.0, 2.0, 1.0])
    assert widget._pushed["likeliest"][0]["classes"] == [1, 2, 0]
    widget.move([3.0, 2.0, 1.0])
    assert widget._pushed["likeliest"][0]["classes"] == [0, 1, 2]


def test_log_probabilities_are_told_where_they_are_shown_as_they_are() -> None:
    widget = ClassScores(np.log([0.1, 0.9]), kind="log_softmax", score="logit")
    assert [row.text for row in widget.shown] == ["−0.11", "−2.30"]
    assert widget.remark == "Log-probabilities. The bars' own scale: −2.30 to 0.00."
    widget.kind = "logits"
    assert widget.remark == "The bars' own scale: −2.30 to 0.00."
    widget.score = "probability"
    assert widget.remark == ""
