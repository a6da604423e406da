"""Predict first, reveal after: a question, its answers, and what is to be said of each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._messages import brief
from cnnwidgets.widgets._still import parts

_MARKS = {True: "✓ Right.", False: "✗ Not so."}


class Exercise(CnnWidget, folder="exercise"):
    """A question with answers to choose from; the explanation of an answer appears once it is checked.

    Question, answers and explanations are shown as they are written: no HTML, no Markdown.

    Arguments:
        question: what is asked.
        answers: two or more answers, each with what is said to the reader who chose it: why it is right, or why it
            tempts and what is wrong with it.
        correct: the right one of ``answers``.
        **traits: any trait by name.

    Raises:
        InputError: there are fewer than two answers, a text is missing, or ``correct`` is none of the answers.

    Example:
        >>> halves = {"4": "Two halves of 2 are 1 and 1.", "1": "2 / 2 = 1."}
        >>> exercise = Exercise("What is half of 2?", halves, correct="1")
        >>> exercise.answer("4")
        '✗ Not so. Two halves of 2 are 1 and 1.'
    """

    question = traitlets.Unicode("", help="What is asked.")
    choices = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=2, maxlen=2), help="[answer, explanation] of each answer, in order."
    )
    correct = traitlets.Unicode("", help="The right answer.")
    selected = traitlets.Unicode(None, allow_none=True, help="The answer that was checked last; None: none yet.")

    def __init__(self, question: str, answers: Mapping[str, str], correct: str, **traits: Any) -> None:
        selected = traits.pop("selected", None)
        super().__init__(**traits)
        _refuse_gaps(question, answers, correct)
        with self.hold_sync():
            self.question, self.correct = question, correct
            self.choices = [[answer, explanation] for answer, explanation in answers.items()]
            self.selected = selected

    @property
    def answers(self) -> dict[str, str]:
        """Answer -> its explanation."""
        return dict(self.choices)

    def answer(self, text: str) -> str:
        """Choose an answer, as a click on the page does.

        Returns:
            What the page says of it.

        Raises:
            InputError: ``text`` is none of the answers.
        """
        if text not in self.answers:
            close = difflib.get_close_matches(str(text), self.answers, n=1, cutoff=0.0)[0]
            raise InputError(f"{brief(text)} is none of the answers: {_quoted(self.answers)}. Closest: {close!r}.")
        self.selected = text
        return self._feedback(text)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None:
            bundle[0]["text/plain"] = "\n".join(self._lines())
        return bundle

    def _still(self) -> parts.Block:
        return parts.column([parts.paragraph(line, most=30) for line in self._lines()], 4)

    def _still_title(self) -> str:
        return "Exercise"

    def _lines(self) -> list[str]:
        choices = [f"({'x' if answer == self.selected else ' '}) {answer}" for answer in self.answers]
        feedback = [] if self.selected is None else [self._feedback(self.selected)]
        return [self.question, *choices, *feedback]

    def _feedback(self, answer: str) -> str:
        return f"{_MARKS[answer == self.correct]} {self.answers[answer]}"

    @traitlets.validate("selected")
    def _is_an_answer(self, proposal: dict[str, Any]) -> str | None:
        selected: str | None = proposal["value"]
        if selected is not None and selected not in self.answers:
            raise traitlets.TraitError(f"{brief(selected)} is none of the answers: {_quoted(self.answers)}, or None.")
        return selected


def _refuse_gaps(question: Any, answers: Any, correct: Any) -> None:
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"The question is {brief(question)}; expected a text.")
    if not isinstance(answers, Mapping) or len(answers) < 2:
        raise InputError(f"The answers are {brief(answers)}; expected a mapping of two or more, answer -> explanation.")
    for answer, explanation in answers.items():
        for name, text in (("The answer", answer), (f"The explanation of {answer!r}", explanation)):
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{name} is {brief(text)}; expected a text.")
    if not isinstance(correct, str) or correct not in answers:
        raise InputError(f"The correct answer is {brief(correct)}; expected one of {_quoted(answers)}.")


def _quoted(answers: Mapping[str, str]) -> str:
    return ", ".join(map(repr, answers))
