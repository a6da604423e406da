"""A plugin of pytest: which lines of the package run in each of xdist's processes, and in none that a test starts.

A kernel, a server or a script under the tracer would be slow to import torch, and runs little that is not run here too.
The tracer makes a test take 1.6 times as long, so that it sees the first case of each test, and none of the folders
that compare what other tests have run already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

import coverage
import pytest

_COVERAGE = coverage.Coverage(data_suffix=True)
_IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_REPEATING = ("tests/benchmarks/", "tests/conformance/", "tests/fuzz/", "tests/soak/")
_tests: set[str] = set()


def pytest_load_initial_conftests() -> None:
    """Before anything imports the package."""
    if _IN_WORKER:
        _COVERAGE.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Look away while a test runs again with other arguments."""
    test = item.nodeid.partition("[")[0]
    is_new = test not in _tests and not test.startswith(_REPEATING)
    _tests.add(test)
    if not _IN_WORKER or is_new:
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)  # of this thread alone: others may run on
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def pytest_sessionfinish() -> None:
    """Write down what ran; ``coverage combine`` puts it together."""
    if _IN_WORKER:
        _COVERAGE.stop()
        _COVERAGE.save()
