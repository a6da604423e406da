"""Progress and cancel of an Explorer in several versions of ipykernel, by messages alone: `make kernels`.

Each version is installed, without what it depends on, into a folder that goes before this environment's own, which
stays as it is. A kernel runs a cell with an Explorer, and a page of a few lines chooses a method that would take a
minute. Its progress must arrive while the kernel is idle and while a cell keeps it busy, and Cancel must end it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

sys.path.insert(0, str(Path(__file__).parent))
from versions import try_each

ROOT = Path(__file__).parent.parent
VERSIONS = ["6.31.0", "7.0.1", "7.4.0"]
MAKE = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
import time, torch, ipykernel
import cnnwidgets as cw
from cnnwidgets.core.progress import Meter

@cw.explainers.register("slow", family="test")
def slow(model, images, target=None, progress=None):
    with Meter(progress, 600) as meter:
        for _ in range(600):
            time.sleep(0.1)
            meter.advance()
    return images.mean(1)

net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
e = cw.explore(net.eval(), torch.rand(1, 3, 48, 48))
print(ipykernel.__version__, e.overlay.model_id, e._view.bar.model_id)"""


class Page:
    """What a browser does: sends messages about widgets, and reads what comes."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.traits: dict[str, dict[str, Any]] = {}

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

    def until(self, request: str, state: str) -> None:
        """Read until the kernel says that it is in this state for this request."""
        while True:
            reply = self.read(60)
            if reply["parent_header"].get("msg_id") == request and reply["content"].get("execution_state") == state:
                return

    def wait(self, model: str, trait: str, fits: Any, seconds: float = 30) -> float:
        """Seconds until a trait of a widget fits."""
        began = time.monotonic()
        while not fits(self.traits.get(model, {}).get(trait)):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{trait} is {self.traits.get(model, {}).get(trait)!r} after {seconds} s")
            self.read(seconds)
        return time.monotonic() - began


def measured(version: str, folder: Path) -> str:
    """A line on what happened in a kernel of this version; raises where something did not."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*command, f"ipykernel=={version}"], check=True)
    path = os.pathsep.join([str(folder), str(ROOT)])
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        page = Page(client)
        own, overlay, bar = page.run(MAKE).split()[-3:]
        if own != version:
            raise RuntimeError(f"the kernel is ipykernel {own}, not {version}")
        page.send(overlay, {"method": "update", "state": {"method": "slow"}, "buffer_paths": []})
        idle = page.wait(bar, "progress", lambda share: share is not None and share > 0)
        before = page.traits[bar]["progress"]
        busy = client.execute("time.sleep(2)")
        page.until(busy, "busy")
        page.traits[bar].pop("progress")
        page.until(busy, "idle")
        during = page.traits[bar].get("progress")
        if during is None or not before < during < 1:
            raise RuntimeError(f"no progress arrived while a cell ran: {before}, then {during}")
        page.send(bar, {"method": "custom", "content": {"op": "cancel", "id": 1}})
        cancelled = page.wait(bar, "progress", lambda share: share is None)
        status = page.run("e.wait(30); print(e.status, e.message)")
        if not status.startswith("cancelled"):
            raise RuntimeError(f"after Cancel the Explorer is {status!r}")
        times = f"first progress after {idle:.2f} s, {before:.1%} to {during:.1%} in a busy cell"
        return f"ipykernel {version}: {times}, cancelled after {cancelled:.2f} s"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    sys.exit(try_each(__doc__, "ipykernel", VERSIONS, measured, TimeoutError, ValueError, queue.Empty))
