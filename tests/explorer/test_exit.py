"""The process ends, and an Explorer closes, without waiting for work that nobody wants."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import time
began = time.monotonic()
import threading, torch
import cnnwidgets as cw
started = threading.Event()

@cw.explainers.register("endless", family="test")
def endless(model, images, target=None):
    started.set()
    for _ in range(3000):  # 30 s, and it does not look whether it is wanted
        model(images)
        time.sleep(0.01)
    return images.mean(1)

net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
e = cw.explore(net.eval(), torch.rand(1, 3, 24, 24))
e.method = "endless"
assert started.wait(60)
left = time.monotonic()
{last}
print("closed", time.monotonic() - left)
"""


@pytest.mark.parametrize("last", ["", "e.close()"])
def test_nobody_waits(last: str) -> None:
    program = "import atexit, time\natexit.register(lambda: print('left', time.monotonic() - left))" + _PROGRAM
    program = program.replace("{last}", last)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=400, check=False)
    assert result.returncode == 0, result.stderr
    told = dict(line.split() for line in result.stdout.splitlines())
    assert float(told["closed"]) < 3
    assert float(told["left"]) < 6
    assert "Error" not in result.stderr
