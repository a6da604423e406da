"""Does a widget's TypeScript `State` have the very traits that Python syncs?"""

from __future__ import annotations

import re
from pathlib import Path

import ipywidgets

from cnnwidgets.widgets import _base

WIDGETS = Path(_base.__file__).parent


def typescript_keys(name: str) -> set[str]:
    """The keys of the interface `name`, those of the interfaces that it extends included."""
    pattern = rf"interface {name}\b(?: extends ([^{{]*))?\s*{{(.*?)^}}"
    matches = (re.search(pattern, file.read_text(), re.DOTALL | re.MULTILINE) for file in WIDGETS.rglob("*.ts"))
    match = next((match for match in matches if match), None)
    assert match, f"no interface {name}"
    body = re.sub(r"/\*.*?\*/|//[^\n]*", "", match[2], flags=re.DOTALL)
    bases = re.findall(r"\w+", match[1] or "")
    return set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)).union(*map(typescript_keys, bases))


def python_keys(widget: type[ipywidgets.Widget]) -> set[str]:
    """The public traits that `widget` syncs and ipywidgets' own classes do not."""
    own = widget.class_traits(sync=True).keys() - ipywidgets.DOMWidget.class_traits(sync=True).keys()
    return {name for name in own if not name.startswith("_")}
