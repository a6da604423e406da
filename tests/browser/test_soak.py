"""Forty random clicks, drags and choices; ``make soak ARGS=--browser`` does five hundred."""

from __future__ import annotations

from tests.browser.lab import Lab
from tests.soak.on_a_page import PageSoak


def test_after_forty_random_actions_nothing_is_stale(jupyter: Lab) -> None:
    notebook = jupyter.notebook("soak", "", "")
    with jupyter.open(notebook, run=False, width=1440, height=1300, fresh=False) as (page, trouble):
        soak = PageSoak(page, seed=3)
        soak.run(40)
        soak.assert_nothing_is_stale()
        assert len(soak.done) > 20
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
