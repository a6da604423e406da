"""A cell that is run again lets go of the Explorer that its run before had shown, unless somebody can reach it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import IPython
import pytest
import torch

import cnnwidgets as cw
from tests.explorer import nets


class Notebook:
    """A kernel as the front end sees it: each run of a cell has a number of its own."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {"cw": cw}
        self._runs, self._cell = 0, ""

    def get_parent(self) -> dict[str, Any]:
        return {"metadata": {"cellId": self._cell}, "header": {"msg_id": str(self._runs)}}

    def run(self, cell: str, explorer: cw.Explorer | None = None) -> cw.Explorer:
        """``e = cw.explore(...); e``, whose value stays in the history; or ``e`` alone."""
        self._runs, self._cell = self._runs + 1, cell
        if explorer is None:
            explorer = self.user_ns["e"] = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
        explorer._ipython_display_()
        self.user_ns[f"_{self._runs}"] = self.user_ns["_"] = explorer
        self.user_ns.setdefault("Out", {})[self._runs] = explorer
        return explorer


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    shell = Notebook()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("cnnwidgets.widgets._still.publish.still_png", lambda *_: None)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *_: None)
    return shell


def test_a_cell_that_is_run_again_lets_go_of_its_explorer(notebook: Notebook) -> None:
    first, second = notebook.run("a"), notebook.run("a")
    assert (first.status, second.status) == ("closed", "ready")
    third = notebook.run("a")
    assert (second.status, third.status) == ("closed", "ready")


@pytest.mark.parametrize(
    "keep",
    [
        lambda e: {"mine": e},
        lambda e: {"all_of_them": [e]},
        lambda e: {"by_name": {"cat": e}},
        lambda e: {"holder": SimpleNamespace(explorer=e)},
    ],
)
def test_what_a_variable_leads_to_stays(notebook: Notebook, keep: Any) -> None:
    first = notebook.run("a")
    notebook.user_ns |= keep(first)
    assert notebook.run("a").status == first.status == "ready"


def test_what_another_cell_shows_stays(notebook: Notebook) -> None:
    first = notebook.run("a")
    notebook.run("b", first)
    other = notebook.run("c")
    assert notebook.run("a").status == first.status == other.status == "ready"


def test_several_of_one_run_stay_together(notebook: Notebook) -> None:
    first = notebook.run("a")
    second = notebook.user_ns["e"] = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    second._ipython_display_()
    assert first.status == second.status == "ready"
    notebook.run("a")
    assert first.status == second.status == "closed"


def test_without_a_cell_nothing_is_closed(notebook: Notebook) -> None:
    assert notebook.run("").status == notebook.run("").status == "ready"
    first = notebook.user_ns["_1"]
    assert first.status == "ready"
