"""A kernel that is shut down, restarted or lost while its widgets are on the page."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.cells import PREPARE
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, lab, run_all, within

CELLS = (
    PREPARE,
    "e = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))\ne",
    "cw.ClassScores([0.0, 2.0], labels=['cat', 'dog'])",
    "cw.MapCheck()",
)
SENTENCE = "The kernel is gone: run the cell again."
SESSION = "jupyterapp.shell.currentWidget.sessionContext"
ENDS = {
    "shut down": within(f"{SESSION}.shutdown()", 60),
    "restarted": within(f"{SESSION}.restartKernel()", 60),
    "lost": f"{SESSION}.session.kernel.requestExecute({{code: 'import os; os.kill(os.getpid(), 9)'}}) && null",
}
LIVE = """() => [...document.querySelectorAll(".cnnw :is(button, input, select, summary, textarea, [tabindex])")]
  .filter((e) => e.checkVisibility() && !e.closest("[inert]"))
  .map((e) => e.outerHTML.slice(0, 80))"""
ICONS = """() => [...document.querySelectorAll(".jupyter-widgets-disconnected")]
  .map((e) => getComputedStyle(e, "::before")).filter((s) => s.content !== "none" && s.display !== "none").length"""


def _said(page: Page, sentence: str = SENTENCE) -> list[int]:
    """How often the sentence is seen in each output."""
    return [output.get_by_text(sentence).filter(visible=True).count() for output in _outputs(page)]


def _outputs(page: Page) -> list[Locator]:
    return page.locator(".jp-OutputArea-output:has(.cnnw)").all()


@pytest.mark.parametrize("how", ENDS)
def test_what_needs_the_kernel_is_switched_off_and_one_sentence_says_so(jupyter: Lab, how: str) -> None:
    notebook = jupyter.notebook(f"gone_{how.replace(' ', '_')}", *CELLS)
    with jupyter.open(notebook) as (page, _):
        e = ExplorerPage(page)
        e.wait_until_complete()
        assert page.evaluate(LIVE) != []
        assert _said(page) == [0, 0, 0]
        saliency = e.overlay.get_by_role("radio", name="Saliency")
        place = saliency.bounding_box()
        caption = e.overlay.locator(".cnnw-ho-caption").inner_text()
        assert place
        page.evaluate(ENDS[how])
        expect(page.get_by_text(SENTENCE).first).to_be_visible(timeout=30_000)
        page.wait_for_timeout(500)
        assert _said(page) == [1, 1, 1], "in one place, not in every panel"
        assert page.evaluate(LIVE) == []
        assert page.evaluate(ICONS) == 0
        place = saliency.bounding_box() or place
        page.mouse.click(place["x"] + 5, place["y"] + 5)
        expect(saliency).not_to_be_checked()
        expect(e.overlay.locator(".cnnw-ho-caption")).to_have_text(caption)
        if how == "restarted":
            run_all(page)
            e.wait_until_complete()
            assert _said(page) == [0, 0, 0]
            e.choose_method("Saliency")
            expect(e.overlay.locator(".cnnw-ho-caption")).to_contain_text("Saliency")


def test_a_server_that_cannot_be_reached_switches_all_off_until_it_answers(tmp_path: Path, browser: Browser) -> None:
    sentence = "The server cannot be reached: nothing is computed until it answers again."
    with lab(tmp_path, browser) as own:
        notebook = own.notebook("unreachable", *CELLS)
        with own.open(notebook) as (page, _):
            e = ExplorerPage(page)
            e.wait_until_complete()
            own.server.send_signal(signal.SIGSTOP)
            page.evaluate(f"{SESSION}.session.kernel.reconnect().catch(() => null) && null")
            expect(page.get_by_text(sentence).first).to_be_visible(timeout=30_000)
            page.wait_for_timeout(500)
            assert _said(page, sentence) == [1, 1, 1]
            assert page.evaluate(LIVE) == []
            own.server.send_signal(signal.SIGCONT)
            expect(page.get_by_text(sentence)).to_have_count(0, timeout=60_000)
            e.choose_method("Saliency")
            expect(e.overlay.locator(".cnnw-ho-caption")).to_contain_text("Saliency")
            e.wait_until_ready()
            own.server.terminate()
            expect(page.get_by_text(sentence).first).to_be_visible(timeout=30_000)
            assert page.evaluate(LIVE) == []
            assert page.get_by_text(SENTENCE).count() == 0
