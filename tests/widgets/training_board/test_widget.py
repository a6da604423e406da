"""Numbers, curves, snapshots and the table of a training, without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets.training_board import TrainingBoard, snapshots
from cnnwidgets.widgets.training_board.controls import TrainingControls
from cnnwidgets.widgets.training_board.numbers import curve_points
from cnnwidgets.widgets.training_board.snapshots import Snapshot, Snapshots
from tests.widgets.parity import python_keys, typescript_keys


def board_of(count: int = 0, **numbers: Any) -> TrainingBoard:
    board = TrainingBoard("conv", {"a": None})
    for step in range(1, count + 1):
        board.record({"loss": float(step), **numbers}, epoch=step)
        board.show_layer([np.full((2, 3, 3), step)])
    board.draw()
    return board


def test_the_page_has_the_traits_of_python() -> None:
    assert typescript_keys("TrainingControlsState") == python_keys(TrainingControls)


def test_curves_are_the_numbers() -> None:
    board = TrainingBoard("conv", {"a": None})
    board.record({"loss": 4.0, "accuracy": 0.5, "held_out_loss": None}, epoch=1)
    board.record({"loss": 2.0, "held_out_loss": 3.0, "learning_rate": 0.1}, epoch=2)
    board.draw()
    assert board.curves["loss"].points == {"loss": ([1.0, 2.0], [4.0, 2.0]), "held_out_loss": ([2.0], [3.0])}
    sent = board.controls._pushed["charts"][0]["charts"][0]
    assert (sent["ticks"], sent["ends"]) == ([2.0, 3.0, 4.0], [1.0, 2.0])
    assert sent["lines"][1] == {"held_out": True, "x": [2.0], "y": [3.0]}
    assert board.curves["learning_rate"].points == {"learning_rate": ([2.0], [0.1])}
    assert board.curves["loss"].heading.startswith(
        "loss by epoch: solid, round: learned from; dashed, square: held out"
    )
    assert board.controls.headline == "epoch 2: loss 2, held-out loss 3, learning rate 0.1"
    table = board.controls._pushed["table"][0]
    assert table["head"] == ["", "loss", "held-out loss", "accuracy", "learning rate"]
    assert table["body"] == [["epoch 1", "4", "–", "0.5", "–"], ["epoch 2", "2", "3", "–", "0.1"]]


def test_epochs_that_repeat_are_drawn_by_step() -> None:
    board = TrainingBoard("conv", {"a": None})
    for epoch in (1, 1, 2, 2):
        board.record({"loss": 1.0}, epoch=epoch)
    board.draw()
    assert board.curves["loss"].points == {"loss": ([1.0, 2.0, 3.0, 4.0], [1.0] * 4)}
    assert board.curves["loss"].heading == "loss by step"
    assert [row.label for row in board.rows] == ["epoch 1", "epoch 1", "epoch 2", "epoch 2, step 4"]


def test_of_many_numbers_points_are_means_which_it_says() -> None:
    board = board_of(1000)
    across, up = board.curves["loss"].points["loss"]
    by_hand = [first + 1.0 if first < 1000 else 1000.0 for first in range(1, 1001, 3)]
    assert up == across == pytest.approx(by_hand)
    assert board.curves["loss"].heading == "loss by epoch. Each point is the mean of 3 steps"
    table = board.controls._pushed["table"][0]
    assert (len(table["body"]), table["every"], table["body"][-1][0]) == (40, 25, "epoch 1000")


def test_what_is_not_finite_is_left_out_and_said() -> None:
    board = TrainingBoard("conv", {"a": None})
    for loss in (1.0, float("nan"), float("inf"), 2.0):
        board.record({"loss": loss})
    board.draw()
    assert curve_points(board.rows, "loss", epochs=False) == ([1.0, 4.0], [1.0, 2.0])
    assert board.controls.notes == ["loss is nan at step 2: what is not finite is left out of the curves."]
    assert [row[1] for row in board.controls._pushed["table"][0]["body"]] == ["1", "nan", "inf", "2"]


def test_snapshots_thin_out_by_number() -> None:
    board = board_of(200)
    steps = board.controls.steps
    assert steps == [*range(4, 200, 4), 200], "without one before the first step, each fourth"
    assert board.snapshots.at(7).maps[0].max() == 4
    assert "The slider keeps each 4th step and the newest, to save memory." in board.controls.notes
    assert board_of(60).snapshots.stride == 1


def test_snapshots_thin_out_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_SNAPSHOT_BYTES", 5 * 72)
    several = Snapshots()
    for step in range(100):
        several.add(Snapshot(step, str(step), (np.zeros(9),)))
        assert sum(each.bytes for each in several.all) <= 6 * 72
        assert several.at(None).step == several.all[-1].step == step
    assert [each.step for each in several.all] == [0, 32, 64, 96, 99]
    monkeypatch.setattr(snapshots, "MOST_SNAPSHOT_BYTES", 0)
    several.add(Snapshot(100, "100", (np.zeros(9),)))
    assert several.all[0].step == 0
    assert several.all[-1].step == 100


def test_the_one_on_show_is_followed_when_it_is_dropped() -> None:
    board = board_of(60)
    board.controls.at = 59
    for step in range(61, 63):
        board.record({"loss": 1.0}, epoch=step)
        board.show_layer([np.full((2, 3, 3), step)])
    assert board.controls.at == 58
    assert board.feature_maps._pushed["maps"][0]["layer"] == "conv"


def test_arrays_that_do_not_fit_are_refused() -> None:
    board = TrainingBoard("conv", {"a": None, "b": None})
    with pytest.raises(InputError, match="1 stacks of maps for 2 images"):
        board.show_layer([np.zeros((1, 2, 2))])


def test_commands_of_the_page() -> None:
    board = board_of(1)
    for op, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("pause", "stopped")):
        board.controls._receive(None, {"op": op}, [])
        assert board.controls.state == state
    board.controls.set_state({"image": 4})
    assert board.controls.image == 0
    assert "image: 4" in board.controls.error
    board.controls.set_state({"at": -3})
    assert board.controls.at is None


def test_without_a_kernel_there_is_a_picture_and_closing_leaves_nothing() -> None:
    board = board_of(3, held_out_loss=2.0)
    assert board._still() is not None
    assert "Training · conv" in board._repr_mimebundle_()[0]["text/plain"]
    board.close()
    board.close()
