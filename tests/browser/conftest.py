"""What the tests on a page of JupyterLab share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cnnwidgets as cw
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Trouble

ROOT = Path(__file__).parent.parent.parent
ARTEFACTS = ROOT / "tests" / "artefacts"


@pytest.fixture(scope="session")
def demo() -> cw.demo.Demo:
    """The network that the page explores, for a test to run by itself."""
    return cw.demo.load()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots go, to be looked at."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


@pytest.fixture
def e(opened: tuple[ExplorerPage, Trouble]) -> Iterator[ExplorerPage]:
    """The Explorer of the file's ``opened``; what its test does leaves nothing in the page's console."""
    yield opened[0]
    trouble = opened[1]
    assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
