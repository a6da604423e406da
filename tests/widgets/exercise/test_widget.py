"""What an exercise takes, says in code, and shows where no kernel runs."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

import cnnwidgets as cw
from cnnwidgets import InputError
from cnnwidgets.widgets._messages import commands
from tests.widgets.parity import python_keys, typescript_keys

ANSWERS = {"9": "3 × 3 weights.", "3": "That is one side.", "27": "That is with three input channels."}


def exercise(**traits: Any) -> cw.Exercise:
    return cw.Exercise("How many weights has a 3 × 3 kernel?", ANSWERS, "9", **traits)


def test_traits_are_those_of_the_page() -> None:
    assert python_keys(cw.Exercise) == typescript_keys("ExerciseState")
    assert set(commands(cw.Exercise)) == {"pull", "switch_all_on"}  # those of every widget


def test_an_answer_in_code_is_the_one_on_the_page() -> None:
    widget = exercise()
    assert (widget.selected, widget.answers, list(widget.answers)) == (None, ANSWERS, ["9", "3", "27"])
    assert widget.answer("27") == "✗ Not so. That is with three input channels."
    assert widget.selected == "27"
    assert widget.answer("9") == "✓ Right. 3 × 3 weights."
    assert widget.selected == "9"
    assert exercise(selected="3").selected == "3"


def test_bad_input() -> None:
    widget = exercise(selected="3")
    with pytest.raises(InputError, match=r"'8' is none of the answers: '9', '3', '27'\. Closest"):
        widget.answer("8")
    with pytest.raises(InputError, match="is none of the answers"):
        widget.answer(9)  # type: ignore[arg-type]
    with pytest.raises(traitlets.TraitError, match="'4' is none of the answers"):
        widget.selected = "4"
    widget.set_state({"selected": "nonsense"})
    assert widget.selected == "3"
    assert "dropped: selected: 'nonsense'" in widget.error
    for bad in ({"9": "alone"}, ["9", "3"], {"9": "", "3": "b"}, {9: "a", "3": "b"}, {"9": "a", " ": "b"}, None):
        with pytest.raises(InputError):
            cw.Exercise("How many?", bad, "9")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="The correct answer is '8'; expected one of '9', '3', '27'"):
        cw.Exercise("How many?", ANSWERS, "8")
    with pytest.raises(InputError, match="The question is ''"):
        cw.Exercise("", ANSWERS, "9")
    with pytest.raises(TypeError, match="Did you mean 'selected'"):
        exercise(selecte="9")


def test_without_a_kernel_it_is_plain_text_and_gives_nothing_away() -> None:
    widget = exercise()
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "How many weights has a 3 × 3 kernel?\n( ) 9\n( ) 3\n( ) 27"
    before = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))
    assert (before < 100).any()
    widget.answer("3")
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"].splitlines()[2:] == ["(x) 3", "( ) 27", "✗ Not so. That is one side."]
    after = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))
    assert after.shape[0] > before.shape[0]
