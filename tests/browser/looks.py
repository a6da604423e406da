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
