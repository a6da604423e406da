"""A notebook in JupyterLab, with the timing functions of page.js on its page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.lab import Lab, idle, run_all

MODEL = """import torch
from torchvision.models import resnet50
import cnnwidgets as cw
cw.explore  # its modules are loaded now
torch.set_num_threads(2)
torch.manual_seed(0)
model = resnet50(weights=None).eval()"""


@contextlib.contextmanager
def opened(lab: Lab, name: str, *cells: str) -> Iterator[Page]:
    """The page of a notebook whose cells have all run."""
    with lab.open(lab.notebook(name, *cells), run=False) as (page, trouble):
        page.add_script_tag(content=Path(__file__).with_name("page.js").read_text())
        run_all(page)
        idle(page)
        failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
        assert not failed, failed
        yield page
        assert not trouble.console, trouble.console
