"""Measures of what is on the page: what overflows, overlaps, is too small or cut off, and what axe-core says."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

FRONTEND = Path(__file__).parent.parent.parent / "cnnwidgets" / "_frontend"
AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"

_NAMES = """(root) => [...root.querySelectorAll("g[role=treeitem]")]
  .map((g) => [g.getAttribute("aria-label"), [...g.querySelectorAll("text")].map((t) => t.textContent).join(" ")])
  .filter(([name, drawn]) => !drawn || !name.startsWith(drawn))"""

_WIDE = """(root) => [root, ...root.querySelectorAll("*")]
  .filter((e) => {
    const style = getComputedStyle(e);
    const spills = style.overflowX === "visible" || e === root;
    return spills && style.display !== "inline" && !(e instanceof SVGElement) && e.clientWidth > 1
      && e.scrollWidth > e.clientWidth + 1;
  })
  .map((e) => `${e.className || e.tagName}: ${e.scrollWidth} > ${e.clientWidth}`)"""

_TEXTS = """(root) => [...root.querySelectorAll("*")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.checkVisibility())
  .filter((e) => !["OPTION", "STYLE", "TITLE"].includes(e.tagName.toUpperCase()) && e.getBoundingClientRect().width > 1)
  .map((e) => {
    const scale = e instanceof SVGElement && e.getScreenCTM ? e.getScreenCTM().a : 1;
    const cut = getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1;
    return {
      text: e.textContent.trim().slice(0, 40),
      size: parseFloat(getComputedStyle(e).fontSize) * scale,
      cut: cut && !e.closest("[title]") && !["PRE", "TEXTAREA"].includes(e.tagName),
    };
  })"""


WRITTEN = """() => {
  window.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    written.push(text);
    write.call(this, text, ...rest);
  };
}"""
"""To be run in a page: from then on `written` has what is drawn as text."""


def too_wide(root: Locator) -> list[str]:
    """Elements whose content spills over their right edge."""
    return list(root.evaluate(_WIDE))


def texts(root: Locator) -> list[dict[str, Any]]:
    """Visible texts with their size on the screen in px, and whether they are cut with no tooltip that has the rest."""
    return list(root.evaluate(_TEXTS))


def overlaps(panels: list[Locator]) -> list[tuple[int, int]]:
    """Pairs of panels that share more than a border."""
    boxes = [panel.bounding_box() for panel in panels]
    found = []
    for (i, a), (j, b) in combinations(enumerate(boxes), 2):
        if a is None or b is None:
            continue
        width = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
        height = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
        if width > 1 and height > 1:
            found.append((i, j))
    return found


def badly_named(root: Locator) -> list[list[str]]:
    """Items of the graph whose accessible name does not begin with what is drawn: [name, drawn]."""
    return list(root.evaluate(_NAMES))


def axe(page: Page, scope: str) -> list[str]:
    """Violations of any weight that axe-core finds inside ``scope``."""
    if not AXE.exists():
        subprocess.run([sys.executable, str(FRONTEND / "node.py"), "npm", "--version"], check=True)
    page.add_style_tag(content="body { overflow: visible !important }")  # else contrast is skipped in silence
    page.evaluate(AXE.read_text())
    result = page.evaluate("(scope) => axe.run(scope)", scope)
    assert any(rule["id"] == "color-contrast" for rule in result["passes"] + result["violations"])
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


_UNTOLD = """(root) => {
  const told = (e) => {
    for (let at = e; at && at !== root.parentElement; at = at.parentElement) {
      const own = at.getAttribute("title") ?? at.querySelector(":scope > title")?.textContent ?? "";
      if (own.trim()) return own.trim();
    }
    return "";
  };
  const name = (e) => (e.getAttribute("aria-label") || e.textContent || e.placeholder || "").trim();
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });
  const controls = "button, input, select, summary, textarea, [role=radio], [role=tab]";
  return [...root.querySelectorAll(controls)]
    .filter((e) => seen(e) && (told(e).length < 12 || (told(e) === name(e) && told(e).split(" ").length < 5)))
    .map((e) => `${e.tagName.toLowerCase()} ${name(e).slice(0, 40)}: ${told(e)}`);
}"""

_UNEXPLAINED = """([root, terms]) => [...root.querySelectorAll("*")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }))
  .filter((e) => !e.closest("[role=listbox], svg, pre, textarea, .cnnw-mc-chart-title"))
  .flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => [e, n.data]))
  .flatMap(([e, text]) => terms.filter((term) => new RegExp(term, "iu").test(text)).map((term) => [e, term, text]))
  .filter(([e, term, text]) => {
    if (/[.?:]\\s*$/u.test(text)) return false; // a sentence explains itself
    for (let at = e; at && at !== root.parentElement; at = at.parentElement) {
      const own = at.getAttribute("title") ?? at.querySelector(":scope > title")?.textContent ?? "";
      // A tooltip that only repeats the text, as for a text that may be cut, explains nothing.
      if (own.split(" ").length > 4 && own.trim() !== e.textContent.trim()) return false;
    }
    return true;
  })
  .map(([, term, text]) => `${term}: ${text.trim().slice(0, 60)}`)"""


def untold(root: Locator) -> list[str]:
    """Visible controls without a tooltip that says more than their name."""
    return list(root.evaluate(_UNTOLD))


def unexplained(root: Locator, terms: list[str]) -> list[str]:
    """Visible labels (not whole sentences) with one of ``terms``, patterns, and no sentence as a tooltip."""
    return list(root.page.evaluate(_UNEXPLAINED, [root.element_handle(), terms]))
