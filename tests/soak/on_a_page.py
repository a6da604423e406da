"""Random clicks, drags, keys and choices on an Explorer in a real browser."""

from __future__ import annotations

import json
import random
from typing import Any

from playwright.sync_api import Page

from tests.browser.cells import prepare, run_cell
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import ask

CELL = """from tests.soak.actions import images, network
from tests.soak.state import assert_like_a_fresh_one, hooks
from types import SimpleNamespace
net = network()
e = cw.explore(net, images())
e"""
# The same state, in an Explorer that was made just now, beside the other.
FRESH = """if "f" in globals(): f.close()
f = cw.explore(net, dict(e._session.images), state=e.snapshot()[1])
f.wait(60)
f"""
# anywidget reports a model that is closed before the page has loaded its code.
LIKE_A_FRESH_ONE = """assert_like_a_fresh_one(SimpleNamespace(explorer=e, net=net), linger=4)
assert not hooks(net)"""
FIGURES = """import json
from tests.soak.state import megabytes, own_threads
print(json.dumps([megabytes(), own_threads()]))"""

# Not what leaves the page: files, the clipboard, other pages.
CANDIDATES = """([kind, share]) => {
  const root = document.querySelector(".cnnw-explorer");
  const leaves = /save|copy|upload|file|code|report/i;
  const selectors = {
    click: "button, summary, [role=tab], [role=radio], [data-layer] .cnnw-ag-box, [data-channel], input[type=checkbox]",
    choose: "select",
    key: "button, [role=radio], [tabindex='0'], input[type=range], input[type=number]",
    drag: "canvas, input[type=range]",
  };
  const all = [...root.querySelectorAll(selectors[kind])].filter((element) => {
    const words = [element.textContent, element.title, element.ariaLabel, element.className].join(" ");
    const isThere = element.checkVisibility({visibilityProperty: true}) && !element.closest("[inert]");
    if (!isThere || element.disabled) return false;
    return !leaves.test(kind === "drag" ? "" : words.slice(0, 200));
  });
  const element = all[Math.floor(share * all.length)];
  if (!element) return null;
  element.scrollIntoView({block: "nearest"});
  const {left, top, width, height} = element.getBoundingClientRect();
  if (kind === "key") element.focus();
  const options = [...(element.options ?? [])].filter((o) => !o.disabled).map((o) => o.index);
  if (kind === "choose" && options.length) {
    element.selectedIndex = options[Math.floor(((share * 1000) % 1) * options.length)];
    element.dispatchEvent(new Event("input", {bubbles: true}));
    element.dispatchEvent(new Event("change", {bubbles: true}));
  }
  return {left, top, width, height, name: element.outerHTML.slice(0, 120)};
}"""
# What is painted, and what is said of it.
PAINTED = """(root) => {
  const canvas = (selector) => [...root.querySelectorAll(selector)].filter((c) => c.checkVisibility()).map((c) =>
    [c.width, c.height, ...c.getContext("2d").getImageData(0, 0, c.width, c.height).data].join());
  const text = (selector) => [...root.querySelectorAll(selector)].map((e) => e.textContent);
  return {
    map: canvas("canvas.cnnw-ho-map"),
    photograph: canvas("canvas.cnnw-ho-photo"),
    caption: text(".cnnw-ho-caption"),
    maps: text(".fm-title"),
    selected: [...root.querySelectorAll("[data-layer][aria-selected=true]")].map((e) => e.dataset.layer),
    classes: text("button[data-class]"),
    explained: [...root.querySelectorAll("button[data-class][aria-pressed=true]")].map((e) => e.dataset.class),
  };
}"""
KEYS = ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Enter", "Escape", "Home", "End", "Tab", "Space")


class PageSoak:
    """Does one random thing after another in the notebook on ``page``; the same seed, the same choices."""

    def __init__(self, page: Page, seed: int) -> None:
        self.page, self.random = page, random.Random(seed)  # noqa: S311
        self.done: list[str] = []
        prepare(page)
        run_cell(page, 0, CELL)
        self.explorer = ExplorerPage(page)
        self.explorer.wait_until_complete()

    def run(self, count: int) -> None:
        """``count`` actions, then the end of all that they began."""
        for _ in range(count):
            kind = self.random.choices(("click", "choose", "key", "drag", "wheel"), (6, 2, 1, 2, 1))[0]
            self._act(kind)
            if self.random.random() < 0.2:
                self.page.wait_for_timeout(self.random.choice((50, 300, 1000)))
        self.page.wait_for_timeout(300)
        self.explorer.wait_until_ready(120_000)

    def assert_nothing_is_stale(self) -> None:
        """What is on the page is what an Explorer shows that was made just now and brought to the same state."""
        trouble = ask(self.page, LIKE_A_FRESH_ONE)
        assert trouble == "", f"{trouble}\nafter {self.done[-20:]}"
        self.explorer.root.get_by_role("tab", name="Where did it look?").click()
        self.explorer.wait_until_ready()
        run_cell(self.page, 1, FRESH)
        fresh = ExplorerPage(self.page, "f", 1)
        fresh.wait_until_complete()
        self.page.wait_for_timeout(500)
        old, new = (explorer.root.evaluate(PAINTED) for explorer in (self.explorer, fresh))
        different = [key for key in new if old[key] != new[key]]
        assert different == [], f"{[(key, str(old[key])[:300], str(new[key])[:300]) for key in different]}"
        ask(self.page, "f.close()")

    def figures(self) -> tuple[float, int, float]:
        """MB of the kernel, its threads of ours, and MB of the page's JavaScript."""
        memory, threads = json.loads(ask(self.page, FIGURES))
        heap = self.page.evaluate("performance.memory.usedJSHeapSize / 1e6")
        return memory, threads, heap

    def _act(self, kind: str) -> None:
        mouse, share = self.page.mouse, self.random.random()
        if kind == "wheel":
            mouse.wheel(0, self.random.choice((-240, 240)))
            return
        target: dict[str, Any] | None = self.page.evaluate(CANDIDATES, [kind, share])
        if target is None:
            return
        self.done.append(f"{kind} {target['name']}")
        x = target["left"] + target["width"] * self.random.uniform(0.2, 0.8)
        y = target["top"] + target["height"] * self.random.uniform(0.2, 0.8)
        if kind == "click":
            mouse.click(x, y)
        elif kind == "key":
            self.page.keyboard.press(self.random.choice(KEYS))
        elif kind == "drag":
            mouse.move(x, y)
            mouse.down()
            mouse.move(x + self.random.randint(-60, 60), y + self.random.randint(-40, 40), steps=4)
            mouse.up()
