"""What the widget accepts, asks and sends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets.occluder import Move, Occluder, SweepWish
from tests.explorer.shown import pushed
from tests.widgets.parity import python_keys, typescript_keys

PICTURE = np.full((56, 70, 3), 200, np.uint8)


def say(widget: Occluder, **content: Any) -> None:
    widget._receive(None, content, [])


def test_both_languages_have_the_same_traits() -> None:
    assert typescript_keys("OccluderState") == python_keys(Occluder)


def test_patches_are_made_whole() -> None:
    widget = Occluder(PICTURE, fill="color", color="#FF8800", patches=[[1, 2, 3, 4]])
    assert widget.patches == [{"top": 1, "left": 2, "height": 3, "width": 4, "fill": "color", "color": "#ff8800"}]
    widget.patches = [{"top": -1.0, "left": 0, "height": 2, "width": 2, "fill": "copy", "source": (3, 4), "x": 1}]
    assert widget.patches == [{"top": -1, "left": 0, "height": 2, "width": 2, "fill": "copy", "source": [3, 4]}]
    assert Occluder(PICTURE).size == 8
    assert Occluder(PICTURE, size=20).size == 20


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([1, 2, 3], "A patch is [1, 2, 3]; expected [top, left, height, width]"),
        ([1, 2, 0, 4], "A patch is 0x4 pixels (height x width); expected at least 1x1."),
        ([1, 2.5, 3, 4], "expected [top, left, height, width]"),
        ([True, 2, 3, 4], "expected [top, left, height, width]"),
        ("abcd", "A patch is 'abcd'"),
        ({"top": 1, "left": 2, "height": 3, "width": 4, "fill": "plaid"}, "fill 'plaid'; expected one of grey, mean"),
        ({"top": 1, "left": 2, "height": 3, "width": 4, "fill": "copy"}, "does not say which; expected source"),
        ({"top": 1, "left": 2, "height": 3, "width": 4, "fill": "color", "color": "red"}, 'expected "#rrggbb"'),
    ],
)
def test_what_is_no_patch_is_refused(patch: Any, message: str) -> None:
    widget = Occluder(PICTURE, patches=[[1, 2, 3, 4]])
    with pytest.raises(InputError) as caught:
        widget.patches = [patch]
    assert message in str(caught.value)
    assert widget.patches[0]["top"] == 1
    say(widget, op="score", id=1, patches=[patch], selected=0)
    assert message in widget.error


def test_a_move_is_told_once_with_its_id_and_the_trait_follows() -> None:
    widget = Occluder(PICTURE)
    moves: list[Move] = []
    seen: list[Any] = []
    widget.on_move(moves.append)
    widget.observe(lambda change: seen.append(change["new"]), "patches")
    patch = {"top": 1, "left": 2, "height": 3, "width": 4, "fill": "black"}
    say(widget, op="score", id=5, patches=[patch], selected=0)
    assert moves == [Move(5, (patch,))]
    assert (widget.patches, widget.selected, seen) == ([patch], 0, [[patch]])
    widget.patches = [[4, 4, 2, 2]]
    assert [move.id for move in moves] == [5, 0], "a script's move is told as well"
    widget.clear()
    assert len(moves) == 2, "another picture asks nobody"


def test_an_error_of_the_listener_is_shown_and_goes_with_the_next_move() -> None:
    def fail(_: Move) -> None:
        raise ValueError("no such luck")

    widget = Occluder(PICTURE)
    widget.on_move(fail)
    say(widget, op="score", id=1, patches=[[1, 1, 2, 2]], selected=0)
    assert widget.error == "no such luck"
    widget.on_move(lambda _: None)
    say(widget, op="score", id=2, patches=[[2, 1, 2, 2]], selected=0)
    assert widget.error == ""


def test_bars_are_the_best_before_the_target_and_what_is_predicted_now() -> None:
    widget = Occluder(PICTURE)
    before = np.log([0.4, 0.2, 0.15, 0.1, 0.08, 0.04, 0.02, 0.01])
    after = np.log([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.3])
    widget.show_scores(before, after, list("abcdefgh"), 6, move=9)
    content, _ = pushed(widget, "scores")
    assert [row[0] for row in content["rows"]] == [0, 1, 2, 3, 4, 6, 7]
    assert [row[1] for row in content["rows"]] == list("abcdegh")
    np.testing.assert_allclose([row[2] for row in content["rows"]], [0.4, 0.2, 0.15, 0.1, 0.08, 0.02, 0.01])
    np.testing.assert_allclose([row[3] for row in content["rows"]], [0.1] * 6 + [0.3])
    assert [content[name] for name in ("target", "first", "now", "move", "unit")] == [6, 0, 7, 9, "probability"]


def test_one_score_is_shown_as_it_is_and_what_is_no_number_as_none() -> None:
    widget = Occluder(PICTURE)
    widget.show_scores([3.0], [-2.0])
    content, _ = pushed(widget, "scores")
    assert (content["rows"], content["unit"]) == ([[0, "class 0", 3.0, -2.0]], "score")
    widget.show_scores([0.0, 0.0], [np.nan, 0.0])
    assert [row[3] for row in pushed(widget, "scores")[0]["rows"]] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0]), "2 scores before and 1 after"),
        (([], []), "0 scores before"),
        (([1.0, 2.0], [1.0, 2.0], ["a"]), "1 labels for 2 classes"),
        (([1.0, 2.0], [1.0, 2.0], None, 2), "target 2 is out of range"),
    ],
)
def test_scores_that_do_not_fit_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Occluder(PICTURE).show_scores(*arguments)


def test_a_sweep_is_sent_with_what_is_known_of_it() -> None:
    widget = Occluder(PICTURE, target_name="cat", fill="blur")
    widget.begin_sweep("Starting …")
    assert (widget.sweep, widget.progress, widget.progress_text) == ("running", 0.0, "Starting …")
    drop = [[0.5, np.nan, 0.25]]
    widget.show_sweep(drop, [[1, -1, 0]], [0], [0, 4, 8], patch=(8, 8), names={0: "cat", 1: "dog"}, first=0)
    content, arrays = pushed(widget, "sweep")
    np.testing.assert_array_equal(arrays["drop"], np.float32(drop))
    assert arrays["known"].tolist() == [[1, 0, 1]]
    assert (content["names"], content["patch"], content["fill"]) == ({"0": "cat", "1": "dog"}, [8, 8], "blur")
    assert (content["classes"], content["baseline"], content["target"]) == ([], [], "cat")
    widget.show_sweep(
        drop,
        [[1, 1, 0]],
        [0],
        [0, 4, 8],
        patch=(8, 8),
        names={0: "cat", 1: "dog"},
        known=[[True, False, False]],
        scores=np.zeros((1, 3, 2)),
        classes=[0, 1],
        baseline=[0.5, np.inf],
    )
    content, arrays = pushed(widget, "sweep")
    assert arrays["known"].tolist() == [[1, 0, 0]]
    assert arrays["scores"].shape == (1, 3, 2)
    assert content["baseline"] == [0.5, None]
    widget.end_sweep("Stopped at 40 %.")
    assert (widget.sweep, widget.sweep_text, widget.progress) == ("stopped", "Stopped at 40 %.", None)
    widget.set_picture(PICTURE)
    assert (widget.sweep, widget.sweep_text) == ("none", "")
    assert list(widget._pushed) == ["picture"]


def test_a_sweep_that_does_not_fit_is_refused() -> None:
    widget = Occluder(PICTURE)
    with pytest.raises(InputError, match=r"drop has shape \(2,\)"):
        widget.show_sweep([1.0, 2.0], [[0, 0]], [0], [0, 1], patch=(1, 1), names={})
    with pytest.raises(InputError, match=r"known has shape \(1, 1\)"):
        widget.show_sweep([[1.0, 2.0]], [[0, 0]], [0], [0, 1], patch=(1, 1), names={}, known=[[True]])
    with pytest.raises(InputError, match=r"scores of shape \(1, 2, 1\)"):
        widget.show_sweep([[1.0, 2.0]], [[0, 0]], [0], [0, 1], patch=(1, 1), names={}, scores=np.zeros((1, 2, 1)))


def test_a_sweep_is_asked_for_and_cancelled() -> None:
    widget = Occluder(PICTURE)
    wishes: list[SweepWish] = []
    cancelled: list[bool] = []
    widget.on_sweep(wishes.append)
    widget.on_cancel(lambda: cancelled.append(True))
    say(widget, op="sweep", id=1, size=16, stride=8, fill="color", color="#FF0000")
    assert wishes == [SweepWish(16, 8, "color", "#ff0000")]
    say(widget, op="sweep", id=2, size=16, stride=0, fill="grey", color="#ff0000")
    assert "the stride 0 pixels; expected at least 1" in widget.error
    say(widget, op="sweep", id=3, size=16, stride=8, fill="copy", color="#ff0000")
    assert "A sweep cannot show a copy" in widget.error
    say(widget, op="cancel", id=4)
    assert cancelled == [True]


def test_pictures_and_maps_are_checked() -> None:
    with pytest.raises(InputError, match="expected uint8 of shape"):
        Occluder(np.zeros((4, 4)))
    with pytest.raises(InputError, match="expected real numbers"):
        Occluder(PICTURE).show_heat([[1j]])
    with pytest.raises(TypeError, match="Did you mean 'patches'"):
        Occluder(patch=[])
