"""A training loop in a notebook's cell: what is clicked while it runs takes effect in its next step."""

from __future__ import annotations

import os
import re

from playwright.sync_api import Page, expect

from tests.browser.cells import WRITE, prepare, run_cell
from tests.browser.lab import Lab, answers, ask, command, idle
from tests.browser.looks import axe, too_wide

MAKE = """import time
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(216, 2))
other = cw.FeatureMaps(np.ones((2, 3, 3)))
view = cw.TrainingView(net, "0", images=torch.rand(2, 1, 8, 8))
display(other, view)"""
LOOP = """for epoch in range(1, 2000):
    with torch.no_grad():
        net[0].weight.mul_(0).add_(torch.arange(54.0).reshape(6, 1, 3, 3) * epoch)
    going = view.step(epoch=epoch, loss=2 / epoch, held_out_loss=2.5 / epoch, accuracy=1 - 1 / epoch)
    if not going:
        break
    time.sleep(0.05)
print("left at", epoch, "other", other.channel)"""
OUTPUTS = (
    "jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.outputs ?? [])"
    ".map(o => o.map(x => (x.text ?? '') + (x.data?.['text/plain'] ?? '')).join(''))"
)
STEPS = "Number(document.querySelector('.tb-headline').textContent.match(/epoch (\\d+)/)[1])"


def begin(page: Page, index: int, source: str) -> None:
    """Run a cell without waiting for its end."""
    page.evaluate(WRITE, [index, source])
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")


def shot(page: Page, name: str) -> None:
    folder = os.environ.get("CNNW_SHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png")


def test_pause_look_back_resume_and_stop_inside_a_running_cell(jupyter: Lab) -> None:
    with jupyter.open(jupyter.notebook("training", "", "", ""), run=False, width=1440, height=1000, fresh=False) as (
        page,
        trouble,
    ):
        prepare(page)
        # Older front ends have no subshells: all messages wait behind the cell.
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = 'disabled'")
        run_cell(page, 0, MAKE)
        root = page.locator(".cnnw-training-view")
        begin(page, 1, LOOP)
        # What waits its turn behind the running cell must neither be lost nor overtake.
        begin(page, 2, "'after'")
        expect(root.locator(".tb-headline")).to_contain_text(re.compile(r"epoch \d+: loss \d"), timeout=30_000)
        root.get_by_role("button", name="Pause").click()
        expect(root.get_by_role("status").first).to_contain_text("Paused", timeout=10_000)
        page.wait_for_timeout(500)
        paused = page.evaluate(STEPS)
        page.wait_for_timeout(600)
        assert page.evaluate(STEPS) == paused, "a paused training stands still"

        page.locator(".cnnw-feature-maps").first.locator('[data-channel="1"]').click()  # another's, which waits
        slider = root.get_by_role("slider", name="Look back")
        slider.focus()
        page.keyboard.press("Home")
        expect(slider).to_have_attribute("aria-valuetext", "before training")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", "epoch 2")
        shot(page, "training_paused")

        root.get_by_role("button", name="Resume").click()
        page.wait_for_function(f"{STEPS} > {paused} + 5", timeout=20_000)
        expect(slider).to_have_attribute("aria-valuetext", "epoch 2")
        root.get_by_role("button", name="Newest").click()
        expect(slider).to_have_attribute("aria-valuetext", re.compile("newest"))
        root.get_by_role("button", name="Stop").click()
        idle(page, 30_000)
        page.wait_for_function(f"{OUTPUTS}[2] !== ''")  # idle it also is between two messages
        outputs = page.evaluate(OUTPUTS)
        assert outputs[1].startswith("left at "), outputs
        assert outputs[1].strip().endswith("other None"), "another widget's message waited for the end of the cell"
        assert outputs[2] == "'after'", "the cell that waited ran after it"
        assert answers(page, "print(other.channel)", "1"), "and then it arrived"
        assert ask(page, "print(view.stopped, view.step(loss=0.5))") == "True False"
        last = ask(page, "print(view.snapshots.at(2).kernels.array.max(), view.snapshots.all[-1].step)")
        assert last.split()[0] == "106.0"  # 53 x 2
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])


def test_it_fits_and_can_be_used_by_keyboard_and_screen_reader(jupyter: Lab) -> None:
    with jupyter.open(jupyter.notebook("training_looks", ""), run=False, width=1440, height=1400, fresh=False) as (
        page,
        trouble,
    ):
        prepare(page)
        run_cell(
            page, 0, MAKE.replace("display(other, view)", LOOP.split("    time")[0].replace("2000", "30") + "view")
        )
        root = page.locator(".cnnw-training-view")
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            command(page, "apputils:change-theme", theme=theme)
            page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
            for width in (1440, 700):
                page.set_viewport_size({"width": width, "height": 1400})
                page.wait_for_timeout(400)
                shot(page, f"training_{theme.split()[1]}_{width}")
                assert too_wide(root) == []
            assert axe(page, ".cnnw-training-view") == []
        root.get_by_text("All numbers").first.click()
        row = root.get_by_role("row").filter(has_text="epoch 29")
        expect(row).to_contain_text("0.06897")  # 2 / 29
        expect(row).to_contain_text("0.9655")  # 1 - 1 / 29
        # From 0 to 3 upwards, and 29 epochs across: the last point of 2 / 29.
        last = root.locator("polyline.tb-learned").first.get_attribute("points").split()[-1].split(",")
        assert [round(float(number), 1) for number in last] == [100.0, round(100 * (3 - 2 / 29) / 3, 1)]
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
