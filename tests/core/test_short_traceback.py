"""What a notebook shows of an error: the reader's own lines, the message and the cause."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound
from cnnwidgets.core.short_traceback import details, short_traceback

NET = """
import cnnwidgets as cw, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(8 * 26 * 26, 10)
    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))
"""
ASK = "cw.explainers.grad_cam(Net(), torch.rand(1, 1, 32, 32), layer='conv')"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.delenv("CNNWIDGETS_TRACEBACK", raising=False)
    shell = InteractiveShell.instance()
    shell.run_line_magic("xmode", "Context")
    shell.run_cell(NET)
    yield shell
    InteractiveShell.clear_instance()


def said(shell: InteractiveShell, cell: str) -> list[str]:
    """Lines that running ``cell`` prints, without colours."""
    with capture_output() as captured:
        shell.run_cell(cell)
    return re.sub(r"\x1b\[[\d;]*m", "", captured.stdout + captured.stderr).strip().splitlines()


def test_an_error_of_ours_is_the_readers_line_and_the_message(shell: InteractiveShell) -> None:
    lines = said(shell, "# above\ncw.explainers.grad_cam(Net(), torch.rand(1, 1, 28, 28), layer='con')")
    assert lines[0].startswith("Cell In[")
    assert lines[0].endswith("line 2")
    assert lines[1:] == [
        "    cw.explainers.grad_cam(Net(), torch.rand(1, 1, 28, 28), layer='con')",
        "LayerNotFound: No layer 'con'. Closest: 'conv', 'fc'. All names: trace(model, x).summary().",
        "%tb shows the whole traceback, %debug opens it.",
    ]


def test_of_a_models_own_error_the_line_of_the_model_is_shown(shell: InteractiveShell) -> None:
    lines = said(shell, ASK)
    assert lines[1] == f"    {ASK}"
    assert lines[2].endswith("line 8, in Net.forward")
    assert lines[3] == "    return self.fc(self.conv(x).flatten(1))"
    of_torch = "mat1 and mat2 shapes cannot be multiplied (1x7200 and 5408x10)"
    error = lines[4].replace("RuntimeError: addmm: ", "RuntimeError: ")  # as torch 2.15 says it
    assert error.startswith(f"CnnWidgetsError: The model raised RuntimeError: {of_torch}")
    assert lines[5].replace("addmm: ", "") == f"Caused by RuntimeError: {of_torch}"
    assert len(lines) == 7


def test_the_rest_comes_with_tb_and_is_short_when_it_happens_again(shell: InteractiveShell) -> None:
    short = said(shell, ASK)
    whole = said(shell, "%tb")
    assert len(whole) > 40
    assert any("forward.py" in line for line in whole)
    assert any("torch/nn/modules" in line for line in whole)
    assert said(shell, ASK)[1:] == short[1:]


def test_verbose_and_the_environment_ask_for_all_of_it(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run_line_magic("xmode", "Verbose")
    assert len(said(shell, ASK)) > 40
    shell.run_line_magic("xmode", "Minimal")
    assert [line.split(":")[0] for line in said(shell, ASK)] == ["CnnWidgetsError"]
    shell.run_line_magic("xmode", "Context")
    monkeypatch.setenv("CNNWIDGETS_TRACEBACK", "full")
    assert len(said(shell, ASK)) > 40


def test_notes_of_the_error_and_of_its_cause_are_told(shell: InteractiveShell) -> None:
    cell = """
from cnnwidgets.core.errors import InputError
def read():
    error = ValueError("broken\\nfile")
    error.add_note("it is a directory")
    raise error
try:
    read()
except ValueError as error:
    own = InputError("cannot be read")
    own.add_note("of the menu's second picture")
    raise own from error
"""
    lines = said(shell, cell)
    assert lines[-6:-1] == [
        "    raise error",
        "InputError: cannot be read",
        "  of the menu's second picture",
        "Caused by ValueError: broken file",
        "  it is a directory",
    ]


def test_ipython_may_pass_arguments_and_the_error_can_be_copied_after_it() -> None:
    error = raised(lambda: cw.explainers.grad_cam(nn.Conv2d(1, 1, 1), torch.rand(1, 1, 4, 4), layer="x"))
    assert isinstance(error, LayerNotFound)
    lines = error._render_traceback_(None, tb_offset=1)
    assert all(isinstance(line, str) for line in lines)
    assert str(copy.copy(error)) == str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def raised(call: Any) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_librarys_model_tells_its_innermost_line() -> None:
    import torchvision

    error = raised(lambda: cw.trace(torchvision.models.alexnet(), torch.rand(1, 3, 8, 8)))
    lines = short_traceback(error)
    places = [line for line in lines if line.startswith("File ")]
    assert [("torchvision" in place, "alexnet.py" in place) for place in places][-1] == (True, True)
    assert not any("torch/nn" in place or "cnnwidgets/" in place.replace("/tests/", "") for place in places[1:])
    assert lines[-1].startswith("Caused by RuntimeError: ")


def test_members_of_a_group_are_told() -> None:
    group = ExceptionGroup("two readers failed", [ValueError("one"), OSError("other")])
    error = InputError("no picture")
    error.__cause__ = group
    assert short_traceback(error) == [
        "InputError: no picture",
        "Caused by ExceptionGroup: two readers failed (2 sub-exceptions)",
        "Caused by ValueError: one",
        "Caused by OSError: other",
    ]


def test_causes_in_a_circle_end() -> None:
    one, two = InputError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert short_traceback(one) == ["InputError: one", "Caused by ValueError: two"]


def test_what_was_suppressed_stays_so() -> None:
    def fail() -> None:
        try:
            int("x")
        except ValueError:
            raise InputError("no number") from None

    assert not any("ValueError" in line for line in short_traceback(raised(fail)))


def test_a_widget_folds_the_same_under_its_message() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ torch.rand(3, 3)

    error = raised(lambda: cw.trace(Broken(), torch.rand(1, 3, 8, 8)))
    text = details(error)
    assert "return x @ torch.rand(3, 3)" in text
    assert "running/forward.py" not in text
    assert "torch/nn" not in text
    assert details(CnnWidgetsError("No image.")).splitlines()[1:] == ["CnnWidgetsError: No image."]


def test_a_fault_of_the_package_is_folded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("inside")
    assert details(error) == "RuntimeError: inside\n"  # no line of a reader's: Python's own form
    own = raised(lambda: cw.trace(nn.Linear(2, 2), torch.rand(1, 3)))
    monkeypatch.setenv("CNNWIDGETS_TRACEBACK", "full")
    assert "running/forward.py" in details(own)


def test_a_script_has_pythons_own_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{NET}\n{ASK}"], capture_output=True, text=True, check=False, timeout=120
    )
    assert "The above exception was the direct cause" in done.stderr
    assert "running/forward.py" in done.stderr


def test_a_cause_that_the_message_holds_already_is_not_repeated() -> None:
    class Narrow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(3, 7)

    with pytest.raises(InputError) as raised:
        cw.explore(Narrow(), torch.rand(1, 3, 24, 24))
    lines = short_traceback(raised.value)
    assert "\n".join(lines).count("The model raised RuntimeError") == 1
    assert lines[-1] == "Caused by RuntimeError: shape '[3, 7]' is invalid for input of size 1728"
