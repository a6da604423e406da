"""An error as its reader needs it: their own lines, the message and the cause; not the lines of the libraries between.

Python's own traceback is untouched: scripts, ``traceback.format_exc()`` and ``%debug`` have all of it.
"""

from __future__ import annotations

import itertools
import linecache
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

FULL = "CNNWIDGETS_TRACEBACK"
"""Environment variable: "full" leaves every traceback whole, in notebooks and in the widgets."""

_OURS = str(Path(__file__).parent.parent) + os.sep
_STANDARD = tuple({sysconfig.get_path(key) + os.sep for key in ("stdlib", "platstdlib")})
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_BETWEEN = (
    "torch", "IPython", "ipykernel", "traitlets", "ipywidgets", "anywidget", "bqplot", "numpy", "PIL", "comm",
    "tornado", "zmq", "jupyter_client", "_pytest", "pluggy",
)  # fmt: skip
_ERRORS = "cnnwidgets.core.errors"
_HEADING = f"Traceback, your own lines and the cause ({FULL}=full in the environment: all of it)"
_REST = "%tb shows the whole traceback, %debug opens it."
_LONGEST = 400
_MOST_FRAMES = 12
_MOST_ERRORS = 8
_RED, _GREEN, _PLAIN = "\x1b[0;31m", "\x1b[0;32m", "\x1b[0m"


def short_traceback(error: BaseException, *, colours: bool = False) -> list[str]:
    """Lines of text on ``error``: the frames of the reader's own code, outermost first, the message, and the causes.

    The code of a model counts as the reader's, also where a library (torchvision, timm) wrote it: of such a library
    the innermost frame is told. Notes (``add_note``) stand below their error, members of a group below the group.

    Args:
        error: any exception; its causes are followed as Python does.
        colours: with the escape sequences of a terminal.
    """
    red, green, plain = (_RED, _GREEN, _PLAIN) if colours else ("", "", "")
    chain = list(_chain(error))
    lines = [
        line
        for link in chain
        for frame, number in _readers_own(link)
        for line in _frame_lines(frame, number, green, plain)
    ]
    lines.append(f"{red}{type(error).__name__}{plain}: {_text_of(error)}")
    lines += _note_lines(error)
    for before, cause in itertools.pairwise(chain):
        if _says_again(cause, before):
            continue
        cause_text = _one_line(_text_of(cause))
        lines.append(f"Caused by {red}{type(cause).__name__}{plain}{': ' if cause_text else ''}{cause_text}")
        lines += _note_lines(cause)
    return lines


def details(error: BaseException) -> str:
    """What a widget folds under the message of ``error``: the short form, or Python's own where that is wanted.

    An error that is none of ours and comes out of none of the reader's lines is a fault of the package: it is told
    in full.
    """
    own = any(_readers_own(link) for link in _chain(error))
    if is_full() or not (own or _is_ours(error)):
        return "".join(traceback.format_exception(error))
    return "\n".join([_HEADING, *short_traceback(error)])


def rendered(error: BaseException) -> list[str]:
    """Lines of text, with the colours of a terminal: short at first, whole when it is shown again (``%tb``).

    Whole also where ``%xmode Verbose`` or ``CNNWIDGETS_TRACEBACK=full`` asks for it; only the message in the mode
    "Minimal".
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    tracer: Any = getattr(shell, "InteractiveTB", None)
    mode = getattr(tracer, "mode", "Context")
    colours = str(getattr(shell, "colors", "nocolor")).lower() != "nocolor"
    # Raised once more, it has another traceback, and is news again.
    shown_before = getattr(error, "_rendered", None) == id(error.__traceback__)
    if tracer is not None and (is_full() or shown_before or mode == "Verbose"):
        return list(tracer.structured_traceback(type(error), error, error.__traceback__))
    error._rendered = id(error.__traceback__)  # type: ignore[attr-defined]  # noqa: SLF001
    if mode == "Minimal":
        return list(tracer.get_exception_only(type(error), error))
    return [*short_traceback(error, colours=colours), *([_REST] if tracer is not None else [])]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # its own __str__ raised
        return "(its text cannot be had: its __str__ raises)"


def _says_again(cause: BaseException, error: BaseException) -> bool:
    """Whether ``error`` is one of ours that says all of ``cause``, another of ours."""
    return _is_ours(cause) and _is_ours(error) and _text_of(cause) in _text_of(error) and not _note_lines(cause)


def _is_ours(error: BaseException) -> bool:
    """Whether it is a ``CnnWidgetsError``, which cannot be imported here: it has this module behind its traceback."""
    return any(kind.__module__ == _ERRORS for kind in type(error).__mro__)


def is_full() -> bool:
    """Whether the environment asks for whole tracebacks."""
    return os.environ.get(FULL, "").lower() == "full"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error``, what it was raised from, and so on; members of a group after the group."""
    waiting: list[BaseException | None] = [error]
    visited: set[int] = set()
    while waiting and len(visited) < _MOST_ERRORS:
        link = waiting.pop(0)
        if link is None or id(link) in visited:
            continue
        visited.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        waiting.append(link.__cause__ if link.__cause__ or link.__suppress_context__ else link.__context__)


def _readers_own(error: BaseException) -> list[tuple[FrameType, int]]:
    """(frame, line) of the reader's code, and the innermost of a library's that is not machinery."""
    own: list[tuple[FrameType, int]] = []
    library: tuple[FrameType, int] | None = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        written_by = _written_by(frame.f_code.co_filename)
        if written_by == "reader":
            own.append((frame, number))
            library = None
        elif written_by == "library":
            library = frame, number
    own += [library] if library is not None else []
    return own if len(own) <= _MOST_FRAMES else [*own[: _MOST_FRAMES // 2], *own[-_MOST_FRAMES // 2 :]]


def _written_by(file: str) -> str:
    """ "reader", "library" or "machinery"."""
    if file.startswith((_OURS, "<frozen")):
        return "machinery"
    installed = max((file.rfind(mark) + len(mark) for mark in _INSTALLED if mark in file), default=-1)
    if installed >= 0:
        return "machinery" if Path(file[installed:]).parts[0] in _BETWEEN else "library"
    if any(file.startswith(_folder(name)) for name in _BETWEEN):  # an editable install
        return "machinery"
    return "machinery" if file.startswith(_STANDARD) else "reader"


def _folder(name: str) -> str:
    file = getattr(sys.modules.get(name), "__file__", None)
    return str(Path(file).parent) + os.sep if file else "\0"


def _frame_lines(frame: FrameType, number: int, green: str, plain: str) -> list[str]:
    code = frame.f_code
    called = "" if code.co_name == "<module>" else f", in {getattr(code, 'co_qualname', code.co_name)}"
    source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
    where = f"{green}{_file_title(code.co_filename)}, line {number}{plain}{called}"
    return [where, f"    {source}"] if source else [where]


def _file_title(file: str) -> str:
    """``Cell In[3]`` for a cell of a notebook, else the file."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = getattr(getattr(shell, "compile", None), "format_code_name", None)
    named = cells(file) if callable(cells) else None
    return " ".join(named) if named else f"File {file}"


def _note_lines(error: BaseException) -> list[str]:
    return [f"  {_one_line(str(note))}" for note in getattr(error, "__notes__", ())]


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
