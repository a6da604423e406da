"""A JupyterLab on loopback and a page of headless Chromium that opens notebooks in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent

# Said by JupyterLab and Chromium themselves on every start, with no widget of ours on the page.
KNOWN_NOISE = ("favicon", "ResizeObserver loop", "Canvas2D: Multiple readback")


@dataclass
class Trouble:
    """What a page should not have: errors and requests to other hosts."""

    console: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Collect from ``page`` until it is closed."""

        def external(url: str) -> bool:
            return url.startswith(("http", "ws")) and "127.0.0.1" not in url.split("/")[2]

        def said(kind: str, text: str) -> None:
            if kind == "error" and not any(noise in text for noise in KNOWN_NOISE):
                self.console.append(text[:500])

        page.on("request", lambda request: self.external.append(request.url) if external(request.url) else None)
        page.on("console", lambda message: said(message.type, message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)[:500]))
        page.on(
            "response",
            lambda reply: self.failed.append(f"{reply.status} {reply.url}") if reply.status >= 500 else None,
        )


# What a notebook leaves in a kernel: widgets, names, and what it registered. torch and torchvision stay, which take
# eight seconds to import.
CLEAN = """import gc, sys
import ipywidgets
ipywidgets.Widget.close_all()
for module in [name for name in sys.modules if name.partition(".")[0] in ("cnnwidgets", "tests")]:
    del sys.modules[module]
gc.collect()
get_ipython().run_line_magic("reset", "-f")
print("clean")"""


@dataclass
class Lab:
    """A running server and browser."""

    address: str
    folder: Path
    browser: Browser
    server: subprocess.Popen[bytes]
    _session: str | None = None
    """The id of the session whose kernel goes from notebook to notebook, where none has it."""

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; returns its file name."""
        book = nbformat.v4.new_notebook()
        book.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        for index, cell in enumerate(book.cells):
            cell["id"] = f"c{index}"
        nbformat.write(book, self.folder / f"{name}.ipynb")
        return f"{name}.ipynb"

    @contextlib.contextmanager
    def open(
        self,
        notebook: str,
        *,
        run: bool = True,
        width: int = 1600,
        height: int = 1200,
        dark: bool = False,
        fresh: bool = True,
    ) -> Iterator[tuple[Page, Trouble]]:
        """A page that shows ``notebook`` and, unless told otherwise, runs all its cells.

        Not ``fresh``: in a kernel that has torch imported, and is handed on to the next one.
        """
        session = None if fresh else self._handed_on(notebook, self._session)
        self._session = self._session if fresh else None
        context = self.browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=1)
        page, trouble = context.new_page(), Trouble()
        trouble.watch(page)
        try:
            page.goto(f"{self.address}/lab/tree/{notebook}?reset")
            page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady", timeout=60_000)
            page.evaluate("() => { jupyterapp.shell.collapseLeft(); }")
            if dark:
                command(page, "apputils:change-theme", theme="JupyterLab Dark")
            else:
                command(page, "apputils:change-theme", theme="JupyterLab Light")
            idle(page)
            if run:
                run_all(page)
            yield page, trouble
        finally:
            clean = False
            with contextlib.suppress(Exception):
                clean = bool(session) and ask(page, CLEAN, 20) == "clean"
            # Also where it gives no answer: it would compute on beside the tests that follow.
            with contextlib.suppress(Exception):
                if not clean:
                    page.evaluate(within("jupyterapp.shell.currentWidget.sessionContext.shutdown()", 20))
            context.close()
            if session and clean:
                self._session = self._handed_on("no.ipynb", session)

    def _handed_on(self, notebook: str, session: str | None) -> str:
        """The id of the session that ``notebook`` has from now on."""
        named = {"path": notebook, "name": notebook, "type": "notebook"}
        if session:
            with contextlib.suppress(urllib.error.HTTPError):  # gone with its kernel
                return self._request("PATCH", f"sessions/{session}", named)
        return self._request("POST", "sessions", {**named, "kernel": {"name": "python3"}})

    def _request(self, method: str, place: str, content: dict[str, object]) -> str:
        request = urllib.request.Request(f"{self.address}/api/{place}", json.dumps(content).encode(), method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return str(json.load(reply)["id"])


def within(promise: str, seconds: float) -> str:
    """JavaScript that awaits ``promise`` and fails where it is not kept in time: Playwright would wait for ever."""
    late = f"setTimeout(() => reject(new Error('not done after {seconds:g} s')), {1000 * seconds:g})"
    return f"Promise.race([{promise}, new Promise((_, reject) => {late})])"


def command(page: Page, name: str, seconds: float = 60, **arguments: str) -> None:
    """Have JupyterLab carry out its command ``name`` and wait for the end of it."""
    page.evaluate(within(f"jupyterapp.commands.execute({name!r}, {json.dumps(arguments)})", seconds))


def idle(page: Page, timeout: float = 60_000) -> None:
    """Wait until the kernel has nothing to do."""
    page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'", timeout=timeout
    )


def run_all(page: Page, timeout: float = 120_000) -> None:
    """Run every cell and wait for the kernel."""
    command(page, "notebook:run-all-cells", timeout / 1000)
    idle(page, timeout)


def ask(page: Page, code: str, seconds: float = 180) -> str:
    """What ``code`` prints when the page's kernel runs it beside the notebook."""
    return str(
        page.evaluate(
            """async ([code, seconds]) => {
              const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({code, store_history: false});
              let text = "";
              future.onIOPub = (m) => {
                if (m.header.msg_type === "stream") text += m.content.text;
                if (m.header.msg_type === "error") text += m.content.ename + ": " + m.content.evalue;
              };
              const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), 1000 * seconds));
              await Promise.race([future.done, late]);
              return text.trim();
            }""",
            [code, seconds],
        )
    )


def answers(page: Page, code: str, text: str, seconds: float = 10) -> bool:
    """Whether ``code`` comes to print ``text``: a click is on the page before its message is in the kernel."""
    end = time.monotonic() + seconds
    while ask(page, code) != text:
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(50)
    return True


def free_port() -> int:
    """One on loopback that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def lab(folder: Path, browser: Browser, version: Path | None = None) -> Iterator[Lab]:
    """A server over ``folder``, for as long as the block runs; of the JupyterLab in the folder ``version``, if any."""
    port, home = free_port(), folder / ".home"
    settings = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(version or ""), str(ROOT), os.environ.get("PYTHONPATH")])),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if version:
        environment["JUPYTERLAB_DIR"] = str(version / "share" / "jupyter" / "lab")
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        "--expose-app-in-browser",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.user_settings_dir={home / 'settings'}",
        f"--LabApp.workspaces_dir={home / 'workspaces'}",
    ]
    log = folder / ".lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield Lab(address, folder, browser, server)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    start = time.monotonic()
    while time.monotonic() - start < 90:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api", timeout=1)
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
