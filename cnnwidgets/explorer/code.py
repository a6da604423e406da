"""What an Explorer has on show, as Python that makes the same map without it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from cnnwidgets import explainers
from cnnwidgets.explorer.sentences import switches_in_words
from cnnwidgets.explorer.tasks import Task
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.incremental.scaling import Factors
from cnnwidgets.pictures.preprocess import Preprocess


def python_code(session: Session, scene: Scene, method: str, layer: str) -> str:
    """A snippet that makes the map of ``method`` by itself.

    What only the reader's own code can name, and no variable of the notebook does, is left for them to fill in, with a
    comment.

    Args:
        layer: the layer on the overlay; ignored where ``method`` explains the input.
    """
    names = _Names(session, scene.name)
    lines = ["import cnnwidgets as cw", "from cnnwidgets.pictures.picture import load_picture"]
    if names.preprocess is not None and names.preprocess.startswith("Preprocess("):
        lines.append("from cnnwidgets.pictures.preprocess import Preprocess")
    lines += ["", *names.setup]
    options: dict[str, Any] = {"layer": layer} if explainers.info(method).needs_layer and layer else {}
    options |= {**session.options(method, scene), **session.output_hints}
    keywords = "".join(f", {name}={names.of(value)}" for name, value in options.items())
    target = names.of(scene.target, "target")
    if type(scene.task) is not Task:
        return "\n".join([*lines, *_by_explorer(names, scene, method, layer), ""])
    more = "" if names.preprocess is None else f", {names.preprocess}"
    explained = [f"attribution = cw.explainers.{method}({names.model}, picture.tensor, target={target}{keywords})"]
    if scene.switches:
        switches = {layer: _without(factors) for layer, factors in scene.switches.items()}
        explained = [f"with cw.without({names.model}, {switches!r}):", f"    {explained[0]}"]
    picture = f"picture = load_picture({names.image}, {names.model}{more})"
    return "\n".join([*lines, picture, *explained, "cw.HeatmapOverlay(picture, attribution)", ""])


def _without(factors: Factors) -> Any:
    """As :func:`cnnwidgets.without` takes it."""
    if isinstance(factors, dict):
        return factors if any(factors.values()) else list(factors)
    return factors or None


def _by_explorer(names: _Names, scene: Scene, method: str, layer: str) -> list[str]:
    """Of a network that does not classify: its outputs are read by the Explorer."""
    explained = f", target={names.of(scene.target, 'target')}" if callable(scene.target) else ""
    lines = [f"e = cw.explore({names.model}, {names.image}{explained})"]
    if scene.task.region:
        lines.append(f"e.region = {list(scene.task.region)}")
    if not explained:
        lines.append(f"e.target = {scene.target}")
    for switched, factors in scene.switches.items():
        if isinstance(factors, dict) and not any(factors.values()):
            lines += [f"e.layer = {switched!r}", f"e.feature_maps.off = {list(factors)}"]
        else:
            lines.append(f"# {switches_in_words({switched: factors})}, which is set under the graph")
    if layer:
        lines.append(f"e.overlay.layer = {layer!r}")
    return [*lines, f"e.method = {method!r}", "e.wait()", "attribution = e.attribution", "e"]


class _Names:
    """What the reader's notebook calls the network and the image; ``setup`` are lines that must come before."""

    def __init__(self, session: Session, image: str) -> None:
        self._variables = _variables()
        self.setup: list[str] = []
        of_demo, demo_images = session.of_demo
        if of_demo or demo_images:
            self.setup.append("demo = cw.demo.load()")
        self.model = "demo.model" if of_demo else self.of(session.original, "model", "your network")
        self.image = f"demo.images[{image!r}]" if demo_images else self._image(session.images[image])
        self.preprocess = None if session.preprocess is None else self._preprocess(session, of_demo=of_demo)

    def of(self, value: Any, fallback: str = "", comment: str = "as you gave it to explore()") -> str:
        """An expression for ``value``."""
        if value is None or isinstance(value, bool | int | float | str | list | tuple):
            return repr(value)
        if isinstance(value, Path):
            return repr(str(value))
        for name, variable in self._variables.items():
            if variable is value:
                return name
        for name, variable in self._variables.items():
            inner = variable.items() if isinstance(variable, dict) else _members(variable).items()
            for key, member in inner:
                if member is value:
                    return f"{name}[{key!r}]" if isinstance(variable, dict) else f"{name}.{key}"
        name = fallback or getattr(value, "__name__", "value")
        self.setup.append(f"{name} = ...  # {comment}")
        return name

    def _image(self, image: Any) -> str:
        if isinstance(image, bytes | bytearray | memoryview):
            self.setup.append("image = ...  # the path of the file that was uploaded")
            return "image"
        return self.of(image, "image", "your image")

    def _preprocess(self, session: Session, *, of_demo: bool) -> str | None:
        if of_demo:
            return "demo.preprocess"
        if isinstance(session.preprocess, Preprocess):
            return repr(session.preprocess)
        return self.of(session.preprocess, "preprocess")


def _variables() -> dict[str, Any]:
    """The notebook's, those of its history left out."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    space = {} if shell is None else dict(shell.user_ns)
    return {name: value for name, value in space.items() if not name.startswith("_") and name not in ("In", "Out")}


def _members(variable: Any) -> dict[str, Any]:
    if isinstance(variable, ModuleType | type):
        return {}
    try:
        return {name: value for name, value in vars(variable).items() if not name.startswith("_")}
    except TypeError:
        return {}
