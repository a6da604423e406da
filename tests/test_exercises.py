"""The exercises of the notebooks: each answer has its own explanation, and the right one is what comes out below it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest

import cnnwidgets as cw

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").rglob("*.ipynb"))
CHECKED = "nbval-check-output"

# Notebook -> of each of its exercises the right answer, and what the cells after it must have printed for that: nbval
# compares what they print with the file. None where nothing can be computed.
REVEALED = {
    "03_from_plain_python": [
        ("6 x 6 numbers", r"^\(6, 6\)\n"),
        ("4,608", r"4608\)\n"),
        ("the same", r"\[\[0\.11 0\.11 0\.79\]\n \[0\.11 0\.11 0\.79\]\]"),
        ("about 10 %", r"before: 1\d %"),
        ("in the first fully connected layer", r"dense1 +\(1, 128\) +1,179,776\n.*\n.*\n.*\n1,199,882 numbers"),
        ("49 places; nothing changes where the picture is black anyway", r"49 places; unchanged .*: True"),
        (
            "partly like digits: the strokes that tell one from the others",
            r"named as its digit with more than 90 %: True",
        ),
    ],
    "04_layers_of_a_network": [
        ("in the first dense layer", r"dense1 +4,194,816 numbers, +99\.6% of all"),
        ("the digit, with some of its edges brought out", r"at most 1\n.* every map: True"),
        ("it begins to learn the images by heart", r""),
        ("5 × 5", r"conv2 sees \(5, 5\) pixels\n"),
        ("two 3 × 3", r"18,496 numbers .*\n.* 25,632 numbers"),
        ("64 channels of the same height and width", r"\(1, 64, 14, 14\)"),
        ("Conv3d", r"each moment: \[2, 2, 2, 2, 2, 2, 2, 2, 0"),
    ],
    "05_what_filters_look_for": [
        ("the same number everywhere", r"filter 16: from 0\.00 to 0\.00\n"),
        ("67 × 67 pixels", r"sees: \(67, 67\)"),
        ("as much or more, with something that no photograph shows", r"(filter \d+: more .* yes\n){2}"),
        ("all cats fall", r"without the first 10: tiger cat 9 %, Egyptian cat 9 %, tabby 5 %"),
        ("about 0", r"pixel by pixel: 0\n"),
    ],
    "06_seeing_what_it_sees": [
        ("1.00", r"alike: 1\.00\n"),
        ("49 in every cell", r"from 49\.00 to 49\.00\n"),
        ("it hardly changes", r"guided_backprop: Not passed: the map hardly changes"),
    ],
    "07_class_activation_maps": [
        ("it has seen fewer layers, so it may tell classes apart less well", r"fewer held-out pieces right: True"),
        ("the score of coffee, except for the bias", r"map \(1, 7, 7\) adds up: True"),
    ],
    "08_your_own_model": [
        ("it falls far", r"cap hidden: gown 6 %, uniform 5 %"),
        ("no: it can only mark what the network was given", r"whole: military uniform .*\ncut: +academic gown"),
    ],
}


class Found(NamedTuple):
    """An exercise of a notebook: the cell, the widget, and what the checked cells before the next one printed."""

    cell: Any
    exercise: cw.Exercise
    printed: str


def exercises(path: Path) -> list[Found]:
    """Those of a notebook, in order."""
    entries: list[tuple[Any, cw.Exercise, list[str]]] = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code":
            continue
        calls = [
            node
            for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE)))
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Exercise")
        ]
        for call in calls:
            options = {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
            entries.append((cell, cw.Exercise(*map(ast.literal_eval, call.args), **options), []))
        if entries and CHECKED in cell.metadata.get("tags", []):
            entries[-1][2].extend(output.get("text") or output["data"]["text/plain"] + "\n" for output in cell.outputs)
    return [Found(cell, exercise, "".join(printed)) for cell, exercise, printed in entries]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_answer_has_its_own_explanation(path: Path) -> None:
    for cell, exercise, _ in exercises(path):
        explanations = list(exercise.answers.values())
        assert len(set(explanations)) == len(explanations) >= 2, exercise.question
        assert min(map(len, explanations)) > 20, exercise.question
        for answer in exercise.answers:
            mark = "✓" if answer == exercise.correct else "✗"
            assert exercise.answer(answer).startswith(mark)
            assert answer not in exercise.question
        # Whoever reads the code has read the answer.
        assert cell.metadata.get("jupyter", {}).get("source_hidden"), exercise.question


@pytest.mark.parametrize("name", REVEALED)
def test_the_right_answer_is_what_comes_out(name: str) -> None:
    entries = exercises(next(path for path in NOTEBOOKS if path.stem == name and path.parent.name == "notebooks"))
    assert [exercise.correct for _, exercise, _ in entries] == [answer for answer, _ in REVEALED[name]]
    for (_, exercise, printed), (_, pattern) in zip(entries, REVEALED[name], strict=True):
        assert re.search(pattern, printed), (exercise.question, printed)
