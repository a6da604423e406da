"""README's pictures of the Explorer, made anew from what is there.

python tools/pictures.py    writes docs/explorer.png, hide.png, filters.png, compare.png and lessons/01.png
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.browser.explorer_page import ExplorerPage  # noqa: E402
from tests.browser.lab import Lab, lab  # noqa: E402
from tests.chromium import started  # noqa: E402

DOCS = ROOT / "docs"
COMPARED = """import copy, torch, cnnwidgets as cw
demo = cw.demo.load()
other = copy.deepcopy(demo.model)
torch.manual_seed(0)
with torch.no_grad():
    weights = other.get_parameter("blocks.5.0.conv_pw.weight")
    weights += 0.5 * weights.std() * torch.randn_like(weights)
cw.compare(demo.model, other, demo.images["chelsea"], names=("before", "after"))"""


def keep(element: Locator, name: str, height: int = 10_000, width: int | None = None) -> None:
    """Writes ``element`` as it looks to docs/``name``, as far down as ``height``, and made small to ``width``."""
    picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(height, picture.height)))
    if width is not None:
        picture = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS)
    palette = picture.quantize(256, kmeans=2)  # a third of the bytes
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(DOCS / name, optimize=True)


def explorer(jupyter: Lab) -> None:
    """The tabs of the Explorer, and the first lesson's thumbnail."""
    notebook = jupyter.notebook("pictures", "import cnnwidgets as cw\ne = cw.explore()\ne")
    with jupyter.open(notebook, width=1440, height=1600, fresh=False) as (page, _):
        e = ExplorerPage(page)
        e.wait_until_complete()
        keep(e.root, "lessons/01.png", width=300)
        e.node("blocks.5").locator(".cnnw-ag-box").click()
        e.wait_for_maps_of("blocks.5")
        e.maps.locator("[data-channel]").nth(4).click()
        e.wait_until_ready()
        page.mouse.move(0, 0)
        page.wait_for_timeout(600)
        keep(e.root, "explorer.png")

        e.root.get_by_role("tab", name="Hide a part").click()
        stage = e.root.locator(".cnnw-occluder canvas").first
        box = stage.bounding_box() or sys.exit("The photograph is not in sight.")
        x, y = box["x"] + 0.35 * box["width"], box["y"] + 0.35 * box["height"]
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 0.25 * box["width"], y + 0.38 * box["height"], steps=8)
        page.wait_for_timeout(1500)
        e.wait_until_ready()
        keep(e.root, "hide.png")
        page.mouse.up()

        e.node("blocks.3").locator(".cnnw-ag-box").click()
        e.wait_for_maps_of("blocks.3")
        e.maps.locator("[data-channel]").nth(2).click()
        e.root.get_by_role("tab", name="What does it look for?").click()
        e.wait_until_ready(300_000)
        for name in ("Make the image that maximises it", "Rank the filters"):
            e.root.get_by_role("button", name=name).click()
            e.wait_until_ready(300_000)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        keep(e.root, "filters.png", height=1010)


def compared(jupyter: Lab) -> None:
    """Two checkpoints side by side."""
    with jupyter.open(jupyter.notebook("compared", COMPARED), width=1440, height=1250, fresh=False) as (page, _):
        root = page.locator(".cnnw-network-comparison")
        expect(root.locator(".pb-sentences")).to_contain_text("part at", timeout=120_000)
        expect(root).not_to_have_attribute("aria-busy", "true", timeout=120_000)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        keep(root, "compare.png", height=1000)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, started() as browser, lab(Path(folder), browser) as jupyter:
        explorer(jupyter)
        compared(jupyter)


if __name__ == "__main__":
    main()
