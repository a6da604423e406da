"""Two networks on a page: a click in one graph, or on a class, moves both."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.cells import prepare, run_cell
from tests.browser.lab import Lab, answers, ask
from tests.browser.looks import axe, too_wide

MAKE = """import copy
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(6, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    torch.nn.Linear(8, 3))
other = copy.deepcopy(net)
with torch.no_grad():
    other[3].weight[0] += 0.5
c = cw.compare(net, other, torch.rand(1, 3, 24, 24), names=("before", "after"), labels=["ant", "bee", "<b>cat</b>"])
display(c)"""

BARS = """(bars) => bars.map((bar) =>
    [bar.offsetWidth, bar.parentElement.offsetWidth, parseFloat(bar.style.width) / 100])"""


def test_a_click_in_one_graph_moves_the_other(jupyter: Lab) -> None:
    with jupyter.open(jupyter.notebook("compare", ""), run=False, width=1440, height=2600, fresh=False) as (
        page,
        trouble,
    ):
        prepare(page)
        run_cell(page, 0, MAKE)
        root = page.locator(".cnnw-network-comparison")
        expect(root.locator(".pb-sentences")).to_contain_text("The predictions part at 3", timeout=30_000)
        expect(root).not_to_have_attribute("aria-busy", "true", timeout=30_000)
        first, second = (root.locator(f".cnnw-nc-graph-{letter}") for letter in "ab")
        expect(first.locator(".cnnw-ag-heading")).to_contain_text("before")
        expect(second.locator(".cnnw-ag-heading")).to_contain_text("after")
        bars = root.locator(".pb-classes .cnnw-track i").evaluate_all(BARS)
        assert len(bars) == 6, "three classes of two networks"
        assert all(track > 30 and abs(bar / track - share) < 0.04 for bar, track, share in bars), bars
        first.locator('[data-layer="1"]').first.click()
        assert answers(page, "print(c.layer, c.layer_b)", "1 1")
        expect(second.locator('[data-layer="1"][aria-selected="true"]')).to_have_count(1)
        expect(root.locator(".cnnw-nc-maps-b")).to_contain_text("1 · after")
        second.locator('[data-layer="4"]').first.click()
        assert answers(page, "print(c.layer, c.layer_b)", "4 4")
        root.locator(".pb-classes button", has_text="<b>cat</b>").click()
        assert answers(page, "print(c.target)", "2")
        expect(root.locator(".cnnw-nc-map-b .cnnw-ho-caption")).to_contain_text("<b>cat</b> (2)")
        root.get_by_role("radio", name="Each its own").click()
        assert answers(page, "c.wait(); print(c.scale, [side.overlay.limit for side in c._sides])", "own [0.0, 0.0]")
        root.locator(".pb-tools").get_by_label("Method").select_option("saliency")
        assert answers(page, "c.wait(); print(c.status, c.attributions[1].method)", "ready saliency")
        root.locator("summary", has_text="All layers").click()
        root.locator(".pb-layer", has_text="3").click()
        assert answers(page, "print(c.layer)", "3")
        assert not too_wide(root)
        assert axe(page, ".cnnw-network-comparison") == []
        assert ask(page, "c.close(); print(c.status)") == "closed"
    assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
