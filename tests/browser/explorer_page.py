"""An Explorer on a page, as a test drives it."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.lab import ask, idle


class ExplorerPage:
    """The Explorer shown by one cell. ``name`` is an expression for it in the kernel."""

    def __init__(self, page: Page, name: str = "e", index: int = 0) -> None:
        self.page, self.name = page, name
        self.root: Locator = page.locator(".cnnw-explorer").nth(index)
        self.overlay = self.root.locator(".cnnw-heatmap-overlay")
        self.maps = self.root.locator(".cnnw-feature-maps")
        self.graph = self.root.locator(".cnnw-architecture-graph")
        self.scores = self.root.locator(".cnnw-class-scores")
        self.bar = self.root.locator(".cnnw-explorer-bar")

    def wait_until_complete(self, timeout: float = 60_000) -> None:
        """The first view: graph, bars, maps and overlay are all there and nothing is being computed."""
        self.root.wait_for(timeout=timeout)
        self.graph.locator("[data-layer]").first.wait_for(timeout=timeout)
        self.scores.locator("button[data-class]").first.wait_for(state="attached", timeout=timeout)
        for panel in (self.overlay, self.maps):
            panel.page.wait_for_function("(e) => e.dataset.painted", arg=panel.element_handle(), timeout=timeout)
        self.wait_until_ready(timeout)

    def wait_until_ready(self, timeout: float = 60_000) -> None:
        """Nothing is being computed."""
        root = self.root.element_handle()
        self.page.wait_for_function("(e) => e.getAttribute('aria-busy') !== 'true'", arg=root, timeout=timeout)
        idle(self.page)

    def trait(self, trait: str) -> Any:
        """A trait's value in the kernel."""
        return json.loads(ask(self.page, f"import json; print(json.dumps({self.name}.{trait}))"))

    def wait_for_trait(self, trait: str, value: Any, seconds: float = 30) -> None:
        """Until the kernel has ``value``."""
        for _ in range(int(seconds * 10)):
            if self.trait(trait) == value:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{trait} is {self.trait(trait)!r}, not {value!r}")

    def painted_id(self) -> str:
        """Id of the map on the overlay; changes with each new one."""
        return self.overlay.get_attribute("data-painted") or ""

    def wait_for_new_map(self, before: str, timeout: float = 60_000) -> None:
        """Until the overlay shows another map than ``before``."""
        self.page.wait_for_function(
            "([e, before]) => e.dataset.painted !== before",
            arg=[self.overlay.element_handle(), before],
            timeout=timeout,
        )

    def wait_for_maps_of(self, layer: str, timeout: float = 20_000) -> None:
        """Until the feature maps of ``layer`` are painted."""
        self.page.wait_for_function(
            "([e, layer]) => e.dataset.painted === layer", arg=[self.maps.element_handle(), layer], timeout=timeout
        )

    def node(self, layer: str) -> Locator:
        """The graph's node of a layer."""
        return self.graph.locator(f'[data-layer="{layer}"]').first

    def class_button(self, label: str) -> Locator:
        """The bar of a class."""
        return self.scores.locator("button[data-class]", has_text=label).first

    def choose_method(self, label: str) -> None:
        """Pick a method: a segment, or an entry of the menu beside the segments."""
        segment = self.overlay.locator(".cnnw-ho-methods").get_by_role("radio", name=label, exact=True)
        if segment.count():
            segment.click()
        else:
            self.overlay.get_by_role("button", name="More methods").click()
            named = self.page.get_by_text(label, exact=True)
            option = self.overlay.locator(".cnnw-ho-option", has=named)
            option.scroll_into_view_if_needed()
            self.page.wait_for_timeout(100)  # the cue under the list goes when its end is in sight
            option.click()
