"""Which method's map of which layer is asked for."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection
from typing import Any

import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget


class Menus(CnnWidget):
    """The traits of an overlay whose reader chooses method and layer."""

    methods = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=4),
        help='The methods to choose from, each [name, label, the question it answers, family]; "gradient", "cam" and '
        '"perturbation" have their headings in the menu, all others are the reader\'s own. Empty hides the choice.',
    )
    method = traitlets.Unicode("", help="Name of the chosen method.")
    layers = traitlets.List(
        traitlets.Unicode(), help="Dotted names of the layers with a map, in execution order; empty hides the slider."
    )
    layer = traitlets.Unicode("", help="Dotted name of the layer whose map is wanted: one of `layers`, if any.")
    follow = traitlets.Bool(True, help="The layer follows what is selected in the graph.")

    settings = traitlets.List(
        traitlets.Dict(),
        help='Numbers that the method takes: {"name": of the parameter, "label": text, "help": text, "value": number, '
        '"whole": whether it is a whole number}. The reader changes the values.',
    )

    also: Collection[str] = ()
    """Layers beside `layers` that may be asked for; the slider does not offer them."""

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name != self.layer:
            self._refuse(name)
        return name

    @traitlets.validate("settings")
    def _check_settings(self, proposal: Any) -> list[dict[str, Any]]:
        checked = []
        for setting in proposal["value"]:
            value = setting.get("value")
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{setting.get('label', 'The setting')} is {value!r}; expected a number.")
            checked.append({**setting, "value": round(value) if setting.get("whole") else value})
        return checked

    def _refuse(self, layer: str) -> None:
        if layer and self.layers and layer not in self.layers and layer not in self.also:
            raise InputError(f"No map of layer {layer!r}. {self._closest(layer)}")

    def _closest(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.layers, n=3, cutoff=0.3) or self.layers[-3:]
        return f"Closest of the {len(self.layers)}: {', '.join(map(repr, close))}."
