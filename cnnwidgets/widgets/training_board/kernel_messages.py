"""Messages from the page while a cell runs, which the kernel by itself would read only once the cell has ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

import ipywidgets

from cnnwidgets.core.interrupts import Deferral, careful


def kernel_here() -> Any:
    """The ipykernel that this process is, or None."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None)


def read_messages(widgets: Iterable[ipywidgets.Widget]) -> bool:
    """Handle now what the page has sent to ``widgets``; what is for others waits, in its order, as it would have.

    Returns:
        Whether a click can arrive while the caller waits: on another thread than the main one the kernel reads by
        itself; on the main one this function does, where the kernel is ipykernel.
    """
    if threading.current_thread() is not threading.main_thread():
        return True
    kernel = kernel_here()
    stream = _incoming(kernel)
    if stream is None:
        return False
    own = {widget.model_id: widget for widget in widgets if widget.comm is not None}
    with Deferral():
        messages = _taken_out(kernel, stream, own)
    for widget, message in messages:
        # The page sends no further state before it hears that this was dealt with.
        kernel._publish_status("busy", "shell", parent=message)  # noqa: SLF001
        try:
            widget.comm.handle_msg(message)
        finally:
            kernel._publish_status("idle", "shell", parent=message)  # noqa: SLF001
            kernel._publish_status("busy", "shell")  # noqa: SLF001 (the cell still runs)
    return True


def _incoming(kernel: Any) -> Any:
    """The stream by which the main thread gets its messages; None: it has none that can be read."""
    # From version 7 on a thread of its own reads the socket and hands on what is for the main thread.
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    if manager is not None:
        stream = getattr(getattr(manager, "_shell_channel_to_main", None), "to_stream", None)
    else:
        stream = getattr(kernel, "shell_stream", None)
    return stream if getattr(stream, "_recv_callback", None) is not None else None


@careful
def _taken_out(
    kernel: Any, stream: Any, own: dict[str, ipywidgets.Widget]
) -> list[tuple[ipywidgets.Widget, dict[str, Any]]]:
    """The messages that are for ``own`` widgets; the kernel gets the others as soon as the cell has ended."""
    from zmq import POLLIN

    callback, copy = stream._recv_callback, stream._recv_copy  # noqa: SLF001 (no public name)
    arrived: list[Any] = []
    stream.on_recv(arrived.append, copy=copy)
    try:
        stream.flush(POLLIN)
    finally:
        stream.on_recv(callback, copy=copy)
    messages = []
    for frames in arrived:
        message = _addressed(kernel.session, frames, own, copy)
        if message is None:
            stream.io_loop.add_callback(callback, frames)
        else:
            messages.append((own[message["content"]["comm_id"]], message))
    return messages


def _addressed(session: Any, frames: Any, own: dict[str, ipywidgets.Widget], copy: bool) -> dict[str, Any] | None:
    """The message in ``frames`` if it is for one of ``own`` widgets."""
    try:
        _, parts = session.feed_identities(frames, copy=copy)
        # A look without the content leaves the signature unused, so that the kernel can read the message again.
        peek = session.deserialize(parts, content=False, copy=copy)
        if peek["header"]["msg_type"] != "comm_msg" or session.unpack(peek["content"]).get("comm_id") not in own:
            return None
        message: dict[str, Any] = session.deserialize(parts, content=True, copy=copy)
    except Exception:  # whatever it is, the kernel says so
        return None
    return message
