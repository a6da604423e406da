"""From the Explorer to code and back: what a stranger tries in the first hour, on the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, answers, ask

CELL = "import cnnwidgets as cw\ne = cw.explore()\ne"

# A file of noise, which no format makes small: `side` pixels a side.
DROP = """async ([side, name, type]) => {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (let k = 0; k < image.data.length; k += 65536) crypto.getRandomValues(image.data.subarray(k, k + 65536));
  for (let k = 3; k < image.data.length; k += 4) image.data[k] = 255;
  context.putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({type});
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], name, {type}));
  const target = document.querySelector(".cnnw-explorer .cnnw-heatmap-overlay");
  const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
  const isTaken = !target.dispatchEvent(new DragEvent("dragover", options));
  target.dispatchEvent(new DragEvent("drop", options));
  return [isTaken, blob.size];
}"""


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("hour", CELL), width=1440, height=900, fresh=False) as (page, trouble):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        yield explorer, trouble


def test_a_class_that_was_chosen_stays_and_one_click_lets_it_go(e: ExplorerPage) -> None:
    follow = e.scores.get_by_role("button", name="Follow the top class")
    expect(e.scores).to_contain_text("Explains the class with the highest score.")
    expect(follow).to_be_hidden()
    before = e.scores.locator(".cnnw-class-scores-bars").bounding_box()
    e.class_button("Egyptian cat").press("Enter")
    e.wait_for_trait("target", 285)
    e.bar.get_by_role("combobox", name="Photograph").select_option("coffee")
    e.wait_for_trait("picture", "coffee")
    e.wait_until_ready()
    expect(e.scores).to_contain_text("Explains Egyptian cat (285), which you chose; the network says espresso")
    expect(e.scores).to_contain_text("It stays for other photographs.")
    assert e.trait("target") == 285
    assert e.scores.locator(".cnnw-class-scores-bars").bounding_box() == before  # nothing has moved
    follow.click()
    e.wait_for_trait("target", 967)
    e.wait_until_ready()
    expect(follow).to_be_hidden()
    expect(e.overlay).to_contain_text("espresso (967)")


def test_a_file_dropped_on_the_explorer_is_explored(e: ExplorerPage) -> None:
    assert e.page.evaluate(DROP, [64, "noise.png", "image/png"])[0]
    e.wait_for_trait("picture", "noise.png")
    e.wait_until_ready()
    # Noise looks like nothing.
    expect(e.scores).to_contain_text("The network is unsure: no class has more than")


def test_a_file_too_large_for_the_socket_is_made_smaller(e: ExplorerPage) -> None:
    taken, size = e.page.evaluate(DROP, [2400, "large.png", "image/png"])
    assert taken
    assert size > 9_500_000
    shape = "print(e._session.images[e.picture][:2] == b'\\xff\\xd8', len(e._session.images[e.picture]) <= 9_500_000)"
    name = "large.png, made 2400 × 2400 to be sent"
    assert answers(e.page, "print(e.picture)", name, 60)
    e.wait_until_ready()
    assert ask(e.page, shape) == "True True"
    expect(e.bar.get_by_role("combobox", name="Photograph")).to_have_value(name)


def test_what_is_on_show_is_copied_as_python_that_runs(e: ExplorerPage) -> None:
    ask(e.page, "e.picture, e.target = 'chelsea', 'Egyptian cat'")
    e.wait_for_trait("status", "ready")
    copy = e.bar.get_by_role("button", name="Copy as Python")
    copy.click()
    expect(e.bar.get_by_role("button", name="Copied")).to_be_visible()
    code = e.page.evaluate("navigator.clipboard.readText()")
    assert code == ask(e.page, "print(e.code())") + "\n"
    assert "target=285" in code
    same = "print(float((attribution.values - e.attribution.values).abs().max()) < 1e-5)"
    assert ask(e.page, f"{code}\n{same}").splitlines()[-1] == "True"


def test_where_the_clipboard_is_closed_the_code_stands_selected(e: ExplorerPage) -> None:
    e.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    e.bar.get_by_role("button", name="Copy as Python").click()
    field = e.bar.get_by_role("textbox", name="Python of what is on show")
    expect(field).to_have_value(ask(e.page, "print(e.code())") + "\n")
    selected = field.evaluate("(area) => area.selectionEnd - area.selectionStart === area.value.length")
    assert selected
    e.bar.get_by_role("button", name="Close").click()
    expect(field).to_have_count(0)
