"""The Explorer in Solara and single widgets in marimo, in a browser: `make apps`; needs a package index.

Each, and what it shows its pages with (a quarter of a gigabyte for Solara), goes into an environment of its own, which
sees the packages of this one behind its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser.lab import Trouble, free_port
from tests.browser.test_front_ends import assert_alive
from tests.chromium import started
from tools.versions import try_each

ROOT = Path(__file__).parent.parent

SOLARA = """import solara, torch
import cnnwidgets as cw
from tests.explorer import nets

@solara.component
def Page():
    def explorer():
        return cw.explore(nets.plain(), torch.rand(1, 3, 48, 48), labels=["ant", "bee", "cat", "dog", "eel"])
    solara.display(solara.use_memo(explorer, []))
"""
MARIMO = """import marimo
app = marimo.App()

@app.cell
def _():
    import torch
    import cnnwidgets as cw
    from tests.explorer import nets
    net, image = nets.plain(), torch.rand(1, 3, 48, 48)
    return cw, image, net, torch

@app.cell
def _(cw, image, net):
    cw.ArchitectureGraph(cw.trace(net, image))

@app.cell
def _(cw, torch):
    cw.FeatureMaps(torch.rand(1, 8, 12, 12), layer="4")

@app.cell
def _(cw, torch):
    cw.ClassScores(torch.arange(5.0), labels=["ant", "bee", "cat", "dog", "eel"])

@app.cell
def _(cw, torch):
    cw.HeatmapOverlay((255 * torch.rand(48, 48, 3)).byte().numpy(), torch.rand(12, 12))

@app.cell
def _(cw, image, net):
    cw.explore(net, image)

if __name__ == "__main__":
    app.run()
"""


def assert_single_widgets_alive(page: Page, trouble: Trouble) -> None:
    """A layer, a large map, a class; the Explorer is a picture and says why."""
    expect(page.locator(".cnnw-heatmap-overlay canvas").first).to_be_visible(timeout=60_000)
    layer = page.locator("[data-layer='1']").first
    layer.click()
    expect(layer).to_have_attribute("aria-selected", "true")
    page.locator("[data-channel='2']").first.click()
    expect(page.locator(".fm-panel")).to_contain_text("Channel 2")
    row = page.locator(".cnnw-class-scores button[data-class='3']").first
    row.click()
    expect(row).to_have_attribute("aria-pressed", "true")
    expect(page.locator("img[src^='data:image/png']")).to_have_count(1)
    own = [text for text in (*trouble.console, *trouble.external, *trouble.failed) if "marimo" not in text.lower()]
    if own:
        raise RuntimeError(f"the page says: {own}")


@dataclass(frozen=True)
class App:
    """A front end: what it needs, its file, how it is served, and what must hold on its page."""

    packages: tuple[str, ...]
    text: str
    command: tuple[str, ...]
    check: Callable[[Page, Trouble], None]


APPS = {
    # The last pages that need no other host are of Vuetify 2.
    "Solara 1.64.1": App(
        ("solara-ui==1.64.1", "solara-server==1.64.1", "solara-assets==1.58.2", "ipyvuetify<3", "ipyvue<3"),
        SOLARA,
        ("solara", "run", "app.py", "--production", "--host=127.0.0.1"),
        assert_alive,
    ),
    "marimo 0.25.2": App(
        ("marimo==0.25.2",),
        MARIMO,
        ("marimo", "run", "app.py", "--headless", "--no-token", "--host=127.0.0.1"),
        assert_single_widgets_alive,
    ),
}


def installed(app: App, folder: Path) -> Path:
    """The Python of an environment that has what ``app`` needs."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *app.packages], check=True)
    inside = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
    (folder / inside / "behind.pth").write_text(f"{Path(sys.prefix) / inside}\n{ROOT}\n")
    return python


@contextlib.contextmanager
def serving(app: App, python: Path, folder: Path) -> Iterator[str]:
    """``app`` on loopback; its address."""
    (folder / "app.py").write_text(app.text)
    port = free_port()
    address, log = f"http://127.0.0.1:{port}", folder / "log"
    # Where anywidget's code for pages is.
    paths = {"JUPYTER_PATH": f"{sys.prefix}/share/jupyter", "JUPYTER_CONFIG_PATH": f"{sys.prefix}/etc/jupyter"}
    with log.open("w") as output:
        server = subprocess.Popen(
            [python, "-m", *app.command, f"--port={port}"],
            cwd=folder,
            env={**os.environ, **paths},
            stdout=output,
            stderr=output,
        )
    try:
        until = time.monotonic() + 60
        while not _answers(address):
            if time.monotonic() > until or server.poll() is not None:
                raise RuntimeError(f"it did not start: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 (our own server)
    except OSError:
        return False
    return True


def tried(name: str, folder: Path) -> str:
    """A line on what was tried; raises where something did not work."""
    app, pictures = APPS[name], ROOT / "tests" / "artefacts"
    python = installed(app, folder / "environment")
    work = folder / "work"
    work.mkdir()
    pictures.mkdir(exist_ok=True)
    with serving(app, python, work) as address, started() as browser:
        page, trouble = browser.new_page(viewport={"width": 1440, "height": 1000}), Trouble()
        trouble.watch(page)
        page.goto(address)
        app.check(page, trouble)
        page.screenshot(path=pictures / f"{name.split()[0].lower()}.png", full_page=True)
    return f"{name}: works"


if __name__ == "__main__":
    sys.exit(try_each(__doc__, "the trial in", list(APPS), tried, AssertionError))
