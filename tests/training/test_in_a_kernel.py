"""Messages that come while a cell runs, in a real kernel without a browser: ours are handled, the others keep."""

from __future__ import annotations

import time
from typing import Any

from jupyter_client.manager import start_new_kernel

from tests.browser.cells import ROOT

MAKE = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
import time, numpy as np
from cnnwidgets.widgets.training_board import TrainingBoard
from cnnwidgets.widgets.feature_maps import FeatureMaps
board, other = TrainingBoard("conv", {{"a": None}}), FeatureMaps(np.ones((2, 3, 3)))
print(board.controls.model_id, other.model_id)"""
LOOP = """for step in range(600):
    board.record({"loss": 1.0})
    board.show_layer([np.full((2, 3, 3), step)])
    board.wait_while_paused()
    if board.stopped:
        break
    time.sleep(0.02)
print(step, board.feature_maps._pushed["maps"][0]["layer"], board.controls.at, other.channel)"""


def message(client: Any, comm_id: str, data: dict[str, Any]) -> str:
    """As a page sends it."""
    sent = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    client.shell_channel.send(sent)
    return str(sent["header"]["msg_id"])


def outputs(client: Any, request: str) -> str:
    """What a cell prints, once the kernel is done with it."""
    text = ""
    while True:
        reply = client.get_iopub_msg(timeout=60)
        if reply["parent_header"].get("msg_id") != request:
            continue
        if reply["msg_type"] == "stream":
            text += reply["content"]["text"]
        if reply["msg_type"] == "error":
            text += reply["content"]["evalue"]
        if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            return text.strip()


def custom(op: str) -> dict[str, Any]:
    return {"method": "custom", "content": {"op": op}}


def update(**state: Any) -> dict[str, Any]:
    return {"method": "update", "state": state, "buffer_paths": []}


def test_clicks_inside_a_running_cell_and_what_waits_behind_it() -> None:
    manager, client = start_new_kernel()
    try:
        board, other = outputs(client, client.execute(MAKE)).split()
        loop = client.execute(LOOP)
        time.sleep(0.5)
        message(client, board, custom("pause"))
        after = [client.execute(f"order.append({n})" if n else "order = [0]") for n in range(3)]
        message(client, other, update(channel=1))
        last = client.execute("print(order, other.channel)")
        moved = message(client, board, update(at=3))
        # The page sends no more state until it is told that this was dealt with: while the cell still runs.
        states = []
        while "idle" not in states:
            reply = client.get_iopub_msg(timeout=20)
            if reply["msg_type"] == "status" and reply["parent_header"].get("msg_id") == moved:
                states.append(reply["content"]["execution_state"])
        assert states == ["busy", "idle"]
        time.sleep(0.5)
        message(client, board, custom("resume"))
        time.sleep(0.3)
        message(client, board, custom("stop"))
        step, layer, at, channel = outputs(client, loop).split()
        assert int(step) < 400, "the loop was left before its end"
        assert (layer, at, channel) == ("conv", "3", "None")
        assert [outputs(client, request) for request in after[2:]] == [""]
        assert outputs(client, last) == "[0, 1, 2] 1", "each once, in the order in which they were sent"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
