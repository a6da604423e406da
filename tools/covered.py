"""A plugin of pytest: which lines of the package run in each of xdist's processes, and in none that a test starts.

A kernel, a server or a script under the tracer would be slow to import torch, and runs little that is not run here too.
"""

from __future__ import annotations

import os

import coverage

_COVERAGE = coverage.Coverage(data_suffix=True)
_IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def pytest_load_initial_conftests() -> None:
    """Before anything imports the package."""
    if _IN_WORKER:
        _COVERAGE.start()


def pytest_sessionfinish() -> None:
    """Write down what ran; ``coverage combine`` puts it together."""
    if _IN_WORKER:
        _COVERAGE.stop()
        _COVERAGE.save()
