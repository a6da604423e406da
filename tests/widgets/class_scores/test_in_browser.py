"""The bars in a JupyterLab: one button a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.cells import run_cell
from tests.browser.lab import Lab, Trouble, answers, ask

OnShow = Callable[[str, int], Page]


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[Page, Trouble]]:
    with jupyter.open(jupyter.notebook("bars", ""), run=False, width=1000, height=900) as on_page:
        yield on_page


@pytest.fixture
def on_show(opened: tuple[Page, Trouble]) -> Iterator[OnShow]:
    """Runs a cell in the notebook's place for one, and waits for so many bars."""

    def run(cell: str, bars: int) -> Page:
        run_cell(opened[0], 0, cell)
        drawn = "document.querySelectorAll('.cnnw-class-scores-bars i').length"
        opened[0].wait_for_function(f"{drawn} === {bars}")
        return opened[0]

    yield run
    assert opened[1].console == []


CELL = """
import numpy as np
from cnnwidgets.widgets.class_scores import ClassScores
scores = ClassScores(np.log([0.5, 0.3, 0.15, 0.05]), labels=["ant", "bee", "cat", "dog"], target=1)
scores.layout.width = "330px"
scores
"""


def test_a_key_puts_the_focus_on_the_bars_themselves(on_show: OnShow) -> None:
    view = on_show(CELL, 4)
    root = view.locator(".cnnw-class-scores")
    before = root.bounding_box()
    view.get_by_role("combobox", name="Find a class").or_(view.get_by_label("Find a class")).first.focus()
    view.keyboard.press("Tab")
    view.keyboard.press("Tab")
    focused = view.locator(".cnnw-class-scores-bars button:focus")
    assert focused.text_content() == "bee, 30.0 %"
    assert focused.locator("bdi, .cnnw-figures").all_inner_texts() == ["bee", "30.0 %"]
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    assert root.bounding_box() == before, "nothing is added to the page"
    view.keyboard.press("Tab")
    view.keyboard.press("Enter")
    view.wait_for_function("document.activeElement.getAttribute('aria-pressed') === 'true'")
    assert answers(view, "print(scores.target)", "2")
    row = view.locator(".cnnw-class-scores-bars button").nth(3).bounding_box()
    assert row
    view.mouse.click(row["x"] + row["width"] / 2, row["y"] + row["height"] / 2)
    view.wait_for_function("document.querySelector('[data-class=\"3\"]').getAttribute('aria-pressed') === 'true'")
    assert answers(view, "print(scores.target)", "3")


LONG = """
from cnnwidgets.widgets.class_scores import ClassScores
name = "<script>window.bad = 1</script>" * 20
scores = ClassScores([1.0, 0.0, -1.0], labels=[name, "猫" * 40, "MW" * 40])
scores.layout.width = "330px"
scores
"""


def test_a_label_is_text_and_is_cut_before_its_bar(on_show: OnShow) -> None:
    view = on_show(LONG, 3)
    assert view.evaluate("window.bad") is None
    for row in view.locator(".cnnw-class-scores-bars button").all():
        label, track = (row.locator(part).bounding_box() for part in ("bdi", ".cnnw-track"))
        assert label
        assert track
        assert 80 < label["width"] <= 122
        assert label["x"] + label["width"] <= track["x"]
        assert row.locator("bdi").evaluate("e => getComputedStyle(e).textOverflow") == "ellipsis"
    assert "<script>window.bad = 1</script>" * 20 in row.page.locator("[data-class='0']").get_attribute("title")


KINDS = """
from cnnwidgets.widgets.class_scores import ClassScores
scores = ClassScores([0.863, 0.2, 0.55], labels=["ant", "bee", "cat"], target=1, kind="sigmoid")
scores.layout.width = "330px"
scores
"""


def test_what_the_numbers_are_is_said_over_the_bars(on_show: OnShow, tmp_path_factory: pytest.TempPathFactory) -> None:
    view = on_show(KINDS, 3)
    remark, menu = view.locator(".cnnw-class-scores-remark"), view.get_by_label("What the bars show")
    assert remark.inner_text() == "Independent probabilities: they need not add up to 100 %."
    assert menu.locator("option").all_inner_texts() == ["Probability", "Output"]
    bars = view.locator(".cnnw-class-scores-bars i")
    widths = [bars.nth(row).bounding_box()["width"] for row in range(3)]
    assert widths[1] / widths[0] == pytest.approx(0.55 / 0.863, rel=0.02)
    view.screenshot(path=str(tmp_path_factory.getbasetemp() / "kinds.png"))
    ask(view, "scores.show([31.5], kind='number')")
    view.wait_for_function("document.querySelectorAll('.cnnw-class-scores-bars i').length === 1")
    assert remark.inner_text() == "The network's own number, not a probability. The bars' own scale: 0.00 to 31.50."
    assert menu.is_hidden()
    ask(view, "scores.show([2.0, 1.0], kind='logits')")
    view.wait_for_function("document.querySelectorAll('.cnnw-class-scores-bars i').length === 2")
    assert remark.is_hidden()
    assert menu.locator("option").all_inner_texts() == ["Probability", "Logit"]


ANIMALS = """
import numpy as np
from cnnwidgets.widgets.class_scores import ClassScores
labels = ["catamaran", "tiger cat", "dogsled", "Eskimo dog", "Egyptian cat", "dog"] + [f"thing {k}" for k in range(19)]
shares = np.array([0.3, 0.038, 0.3, 0.002, 0.05, 0.001] + [0.309 / 19] * 19)
scores = ClassScores(np.log(shares), labels=labels)
scores.layout.width = "330px"
scores
"""


def test_the_likeliest_match_one_scale_and_more_classes(
    on_show: OnShow, tmp_path_factory: pytest.TempPathFactory
) -> None:
    view = on_show(ANIMALS, 6)
    bars = view.locator(".cnnw-class-scores-bars i")
    room = view.locator(".cnnw-class-scores-bars .cnnw-track").first.bounding_box()["width"]
    assert bars.first.bounding_box()["width"] / room == pytest.approx(0.3, abs=0.02)
    view.get_by_role("button", name="More classes").click()
    view.wait_for_function("document.querySelectorAll('.cnnw-class-scores-bars i').length === 20")
    assert view.locator(".cnnw-class-scores-bars button").nth(3).text_content() == "tiger cat, 3.8 %"
    assert bars.nth(3).bounding_box()["width"] / room == pytest.approx(0.038, abs=0.01)
    view.screenshot(path=str(tmp_path_factory.getbasetemp() / "more-classes.png"))
    view.get_by_role("button", name="Fewer classes").click()
    view.wait_for_function("document.querySelectorAll('.cnnw-class-scores-bars i').length === 6")
    search = view.get_by_label("Find a class")
    for text, index in {"cat": 4, "dog": 5, "eskimo": 3, "catam": 0}.items():
        search.fill(text)
        search.press("Enter")
        assert answers(view, "print(scores.target)", str(index)), text
    ask(view, "scores.move(np.log(shares[[0, 4, 2, 3, 1, *range(5, 25)]]))")
    view.wait_for_timeout(300)
    search.fill("cat")
    search.press("Enter")
    assert answers(view, "print(scores.target)", "1"), "as the bars are now"
