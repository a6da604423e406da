"""The state of an Explorer as plain JSON: written, checked, and restored as far as it fits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import traitlets

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.state.fingerprint import fingerprint
from cnnwidgets.widgets._messages import (
    MOST_NUMBER,
    Check,
    bounded,
    brief,
    list_of,
    maybe,
    number_between,
    one_of,
    text,
    whole_number,
)
from cnnwidgets.widgets.class_scores import ClassScores
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from cnnwidgets.widgets.occluder.patches import MOST_PATCHES, patch_of

VERSION = 1
_OVERLAY = ("opacity", "sign", "colormap", "diverging", "smooth", "rgb", "strip_scale")
_MAPS = ("sort", "scale", "colormap", "cell_size", "opacity", "smooth")
_SCORES = ("score", "more")
_PANELS = ("look", "filters", "hide", "compare")
_MOST_CHANNELS = 1 << 20


def state_of(explorer: Any) -> dict[str, Any]:
    """What was chosen in ``explorer``; not the network or the image, only what tells them from others."""
    with explorer._host.lock:  # noqa: SLF001 (the Explorer's own)
        scene, session = explorer._scene, explorer._session  # noqa: SLF001
        overlay, switching = explorer.overlay, explorer._panels.switching  # noqa: SLF001
        clips = (overlay._other_clip, overlay.clip) if overlay._gradient else (overlay.clip, overlay._other_clip)  # noqa: SLF001
        is_chosen = explorer.scores.chosen
        return {
            "version": VERSION,
            "network": {"name": explorer.network, "weights": _weight_mark(session.original)},
            "photograph": {"name": explorer.picture, "pixels": _pixel_mark(scene)},
            "layer": explorer.layer,
            "channel": explorer.channel,
            "target": explorer.target if is_chosen else None,
            "function": getattr(scene.target, "__name__", "a function") if callable(scene.target) else None,
            "region": list(explorer.region),
            "method": explorer.method,
            "settings": {setting["name"]: setting["value"] for setting in overlay.settings},
            "panel": explorer.panel,
            "pinned": "" if overlay.follow else overlay.layer,
            "on_overlay": overlay.layer if overlay.follow else "",
            "overlay": {name: getattr(overlay, name) for name in _OVERLAY}
            | {"clip": clips[0], "clip_of_gradients": clips[1]},
            "feature_maps": {name: getattr(explorer.feature_maps, name) for name in _MAPS},
            "scores": {name: getattr(explorer.scores, name) for name in _SCORES},
            "off": {layer: list(channels) for layer, channels in switching.off.items()},
            "scales": dict(switching.scales),
            "patches": [dict(patch) for patch in explorer.occluder.patches],
        }


def checked_state(state: Any) -> dict[str, Any]:
    """``state``, each of its values checked; it is read as data, never executed.

    Raises:
        InputError: it is no state; names the key.
    """
    if not isinstance(state, Mapping):
        raise InputError(
            f"state is {brief(state)}; expected the mapping that Explorer.snapshot() returns as its state."
        )
    try:
        bounded(dict(state))
    except InputError as error:
        raise InputError(f"state holds {error}.") from None
    return _checked_mapping(state, _CHECKS, "state")


def restore(explorer: Any, state: Mapping[str, Any]) -> list[str]:
    """Bring ``explorer`` to a checked ``state`` as far as it fits; returns a sentence on each thing that did not."""
    return list(_restored(explorer, state))


def _restored(explorer: Any, state: Mapping[str, Any]) -> Iterator[str]:
    session, overlay = explorer._session, explorer.overlay  # noqa: SLF001
    network, photograph = state.get("network", {}), state.get("photograph", {})
    weights = network.get("weights")
    if weights is not None and weights != _weight_mark(session.original):
        yield f"The state is of another network, or of other weights ({network.get('name') or 'without a name'})."
    name = photograph.get("name")
    if name in explorer.pictures:
        explorer.picture = name
        explorer.wait()
    if photograph.get("pixels") not in (None, _pixel_mark(explorer._scene)):  # noqa: SLF001
        yield f"The state is of another photograph ({name or 'without a name'})."
    if state.get("function"):
        yield f"It explained {state['function']}, a function, which a state cannot hold: pass target=."
    yield from _switch(explorer, state)
    if state.get("on_overlay") in overlay.layers:  # first: a layer that the slider lacks leaves it there
        overlay.layer = state["on_overlay"]
    for trait in ("region", "layer", "channel", "target", "method"):
        value = state.get(trait)
        if value is not None and value not in ("", getattr(explorer, trait) if trait != "target" else ""):
            yield from _attempt(trait, partial(setattr, explorer, trait, value))
    settings = state.get("settings", {}) if explorer.method == state.get("method", explorer.method) else {}
    offered = [dict(setting, value=settings.get(setting["name"], setting["value"])) for setting in overlay.settings]
    yield from _attempt("settings", lambda: setattr(overlay, "settings", offered))
    if state.get("pinned"):
        overlay.follow = False
        yield from _attempt("pinned", lambda: setattr(overlay, "layer", state["pinned"]))
    _paint(overlay, state.get("overlay", {}))
    _set_traits(explorer.feature_maps, state.get("feature_maps", {}))
    _set_traits(explorer.scores, state.get("scores", {}))
    explorer.panel = state.get("panel", explorer.panel)
    if state.get("patches"):
        explorer.occluder.patches = state["patches"]


def _switch(explorer: Any, state: Mapping[str, Any]) -> Iterator[str]:
    """Switch off and scale what the network has."""
    switching, maps = explorer._panels.switching, explorer._scene.maps  # noqa: SLF001
    possible = set(explorer.graph.switchable)
    off, scales = {}, {}
    for layer, channels in state.get("off", {}).items():
        count = maps[layer].shape[1] if layer in possible else 0
        off[layer] = sorted({channel for channel in channels if channel < count})
        if len(off[layer]) < len(set(channels)):
            yield f"off: {layer!r} has not all of the channels that were switched off."
    for layer, factor in state.get("scales", {}).items():
        if layer in possible:
            scales[layer] = factor
        else:
            yield f"scales: there is no layer {layer!r} that can be scaled."
    switching.off = {layer: channels for layer, channels in off.items() if channels}
    switching.scales = scales
    if switching.off or scales:
        switching.refresh()
        explorer.wait()
        explorer.feature_maps.off = switching.off_of(explorer.layer)


def _attempt(key: str, change: Callable[[], None]) -> Iterator[str]:
    try:
        change()
    except (CnnWidgetsError, traitlets.TraitError) as error:
        yield f"{key}: {error}"


def _paint(overlay: HeatmapOverlay, values: Mapping[str, Any]) -> None:
    clips = values.get("clip", overlay.clip), values.get("clip_of_gradients", overlay._other_clip)  # noqa: SLF001
    overlay.clip, overlay._other_clip = clips[::-1] if overlay._gradient else clips  # noqa: SLF001
    _set_traits(overlay, {name: value for name, value in values.items() if name in _OVERLAY})


def _set_traits(widget: Any, values: Mapping[str, Any]) -> None:
    with widget.hold_sync():
        for name, value in values.items():
            setattr(widget, name, value)


def _weight_mark(network: Any) -> str:
    """The same for the same weights, in another process too."""
    return str(fingerprint(network, thorough=True).total)


def _pixel_mark(scene: Any) -> int:
    return zlib.crc32(scene.picture.pixels.tobytes())


def _checked_mapping(values: Any, checks: Mapping[str, Check], name: str) -> dict[str, Any]:
    checked = {}
    for key, value in mapping_of(text(), lambda value: value)(values).items():
        if key not in checks:
            raise InputError(f"{name} has the key {brief(key)}, which is none of {', '.join(checks)}.")
        try:
            checked[key] = checks[key](value)
        except InputError as error:
            raise InputError(f"{key} of {name} is {error}.") from None
    return checked


def mapping_of(key: Check, value: Check) -> Check:
    """A mapping whose keys and values pass."""

    def check(mapping: Any) -> dict[Any, Any]:
        if not isinstance(mapping, Mapping):
            raise InputError(f"{brief(mapping)}; expected a mapping")
        return {key(own): value(content) for own, content in mapping.items()}

    return check


def _true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{brief(value)}; expected true or false")
    return value


def _patch(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{brief(value)}; expected a patch: top, left, height, width and fill")
    return dict(patch_of(value, "grey", "#808080"))


def _of_trait(trait: Any) -> Check:
    """What a widget's trait takes."""
    if isinstance(trait, traitlets.Enum):
        return one_of(*(trait.values or ()))
    return _true_or_false if isinstance(trait, traitlets.Bool) else number_between(trait.min, trait.max)


def _look(widget: type, names: tuple[str, ...]) -> dict[str, Check]:
    traits = widget.class_traits()  # type: ignore[attr-defined]
    return {name: _of_trait(traits[name]) for name in names}


def _holding(checks: Mapping[str, Check]) -> Check:
    return lambda value: _checked_mapping(value, checks, "it")


_CLIP = number_between(0, 5)
_CHECKS: dict[str, Check] = {
    "version": whole_number(VERSION, VERSION),
    "network": _holding({"name": text(), "weights": text()}),
    "photograph": _holding({"name": text(), "pixels": whole_number(0, 1 << 32)}),
    "layer": text(),
    "channel": maybe(whole_number(0, _MOST_CHANNELS)),
    "target": maybe(whole_number(0, _MOST_CHANNELS)),
    "function": maybe(text()),
    "region": list_of(whole_number(0, MOST_NUMBER), 4),
    "method": text(),
    "settings": mapping_of(text(), number_between(-MOST_NUMBER, MOST_NUMBER)),
    "panel": one_of(*_PANELS),
    "pinned": text(),
    "on_overlay": text(),
    "overlay": _holding(_look(HeatmapOverlay, _OVERLAY) | {"clip": _CLIP, "clip_of_gradients": _CLIP}),
    "feature_maps": _holding(_look(FeatureMaps, _MAPS)),
    "scores": _holding(_look(ClassScores, _SCORES)),
    "off": mapping_of(text(), list_of(whole_number(0, _MOST_CHANNELS))),
    "scales": mapping_of(text(), number_between(0, 2)),
    "patches": list_of(_patch, MOST_PATCHES),
}
