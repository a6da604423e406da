"""Does a widget's TypeScript `State` have the very traits that Python syncs?"""

from __future__ import annotations

import re
from pathlib import Path

import ipywidgets

from cnnwidgets.widgets import _base

WIDGETS = Path(_base.__file__).parent
_INTERFACE = r"interface {name}\b[^{{]*{{(.*?)^}}"


def _keys(source: str, name: str) -> set[str]:
    found = re.search(_INTERFACE.format(name=name), source, re.DOTALL | re.MULTILINE)
    assert found, f"no interface {name}"
    body = re.sub(r"/\*.*?\*/|//[^\n]*", "", found[1], flags=re.DOTALL)
    return set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))


def typescript_keys(state_file: Path) -> set[str]:
    """The keys of the widget's state in `state_file`, those of `BaseState` included."""
    return _keys(state_file.read_text(), r"\w+State") | _keys(
        (WIDGETS / "_shared" / "model.ts").read_text(), "BaseState"
    )


def python_keys(widget: type[ipywidgets.Widget]) -> set[str]:
    """The public traits that `widget` syncs and ipywidgets' own classes do not."""
    own = widget.class_traits(sync=True).keys() - ipywidgets.DOMWidget.class_traits(sync=True).keys()
    return {name for name in own if not name.startswith("_")}
