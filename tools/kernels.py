"""Progress and cancel of an Explorer in several versions of ipykernel, by messages alone: `make kernels`.

Each version is installed, without what it depends on, into a folder that goes before this environment's own; nothing
here changes. A kernel runs a cell with an Explorer and a method that would take a minute; while it runs, and while the
shell is busy with another cell, the page's messages are sent as a browser sends them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parent.parent
VERSIONS = ["6.31.0", "7.0.1", "7.4.0"]
MAKE = """import time, torch, ipykernel
import cnnwidgets as cw
from tests.explorer import nets

@cw.explainers.register("slow", family="test")
def slow(model, images, target=None, progress=None):
    meter = cw.core.progress.Meter(progress, 600, "passes")
    for step in range(600):
        time.sleep(0.1)
        meter.advance(1)
    return images.mean(1)

e = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))
print(ipykernel.__version__, e.model_id, e.overlay.model_id)"""


class Page:
    """What a browser does: sends messages about widgets, and reads what comes."""

    def __init__(self, client: Any) -> None:
        self.client, self.traits = client, {}

    def run(self, code: str) -> str:
        """What a cell prints, once it has ended."""
        request, text = self.client.execute(code), ""
        while True:
            reply = self.read(60)
            if reply["parent_header"].get("msg_id") != request:
                continue
            text += reply["content"].get("text", "") + "".join(reply["content"].get("traceback", []))
            if reply["content"].get("execution_state") == "idle":
                return text.strip()

    def send(self, model: str, data: dict[str, Any]) -> None:
        message = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        self.client.shell_channel.send(message)

    def read(self, seconds: float) -> dict[str, Any]:
        reply: dict[str, Any] = self.client.get_iopub_msg(timeout=seconds)
        if reply["msg_type"] == "comm_msg":
            state = reply["content"]["data"].get("state", {})
            self.traits.setdefault(reply["content"]["comm_id"], {}).update(state)
        return reply

    def wait(self, model: str, trait: str, fits: Any, seconds: float = 30) -> float:
        """Seconds until a trait of a widget fits."""
        began = time.monotonic()
        while not fits(self.traits.get(model, {}).get(trait)):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{trait} is {self.traits.get(model, {}).get(trait)!r} after {seconds} s")
            self.read(seconds)
        return time.monotonic() - began
