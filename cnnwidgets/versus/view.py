"""The widgets of a comparison of two networks, and what is shown in each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets
import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.sentences import map_title, method_choices, model_summary, target_text
from cnnwidgets.explorer.ties import close_widget
from cnnwidgets.widgets._maps.pictures import map_unit
from cnnwidgets.widgets._still import maps as still_maps
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from cnnwidgets.widgets.heatmap_overlay.still import overlay_still
from cnnwidgets.widgets.prediction_board import PredictionBoard

from .difference import MapDifference
from .look import CommonView, class_note
from .matching import Pairing
from .sentences import Shares, pairing_sentence, predictions, where_they_part
from .side import Sides

_LOOK = ("sign", "colormap", "diverging", "opacity", "clip", "smooth", "rgb")
_OF_BOTH = ("diverging", "opacity", "smooth")
_SMALL = 0.05  # share of the common scale's end under which a map is nearly dark
_OTHER_CHANNELS = (
    "Channels correspond only between checkpoints of one architecture that see the same numbers: of two different "
    "networks there is no difference channel by channel."
)
_RAW = (
    "Two architectures: how large a map's numbers are depends on its cells and channels, too. Compare where they are, "
    "or choose each map's own scale."
)


class VersusView:
    """The boxes around both networks; ``board`` stands over them."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.names = sides[0].name, sides[1].name
        self._linked = False
        title = " and ".join(self.names)
        self.board = PredictionBoard(
            names=list(self.names),
            summaries=[model_summary(side.scene.architecture) for side in sides],
            pictures=list(sides[0].session.images),
            methods=[choice[:2] for choice in method_choices()],
            network=title,
        )
        self.difference = HeatmapOverlay(stretch=True, sign="signed", network=title)
        self.map_differences = FeatureMaps(network=title, colormap="blue-red")
        areas: dict[str, Any] = {"difference": self.difference, "map-differences": self.map_differences}
        for letter, side in zip("ab", sides, strict=True):
            areas |= {f"graph-{letter}": side.graph, f"map-{letter}": side.overlay, f"maps-{letter}": side.feature_maps}
        for name, widget in areas.items():
            widget.add_class(f"cnnw-nc-{name}")
        order = ("graph-a", "map-a", "difference", "map-b", "graph-b", "maps-a", "map-differences", "maps-b")
        self._grid = ipywidgets.Box([areas[name] for name in order])
        self._grid.add_class("cnnw-nc-grid")

    @property
    def children(self) -> list[ipywidgets.Widget]:
        """What the comparison's own box holds."""
        return [self.board, self._grid]

    def listen(self, shares_scale: Callable[[], bool]) -> None:
        """Keep how both maps are painted the same, and the map that is large."""
        overlays = [side.overlay for side in self._sides]
        for own, other in (overlays, overlays[::-1]):
            own.observe(lambda change, other=other: self._repaint(other, change, shares_scale()), _LOOK)
        of_maps = [side.feature_maps for side in self._sides] + [self.map_differences]
        for widget in of_maps:
            widget.observe(lambda change: self._channel_chosen(of_maps, change["new"]), "channel")

    def show_layers(self, pairing: Pairing, common: CommonView | None) -> None:
        """The feature maps of both layers and, channel by channel, their difference."""
        for side, layer in zip(self._sides, pairing.layers, strict=True):
            side.show_layer(side.scene, layer)
        self.board.pairing = pairing_sentence(self.names, pairing)
        if common is None:
            return
        first, second = pairing.layers
        self._linked = bool(first) and first == second and common.one_architecture and common.same_numbers
        maps = [side.scene.maps.get(layer) for side, layer in zip(self._sides, pairing.layers, strict=True)]
        if self._linked and maps[0] is not None and maps[1] is not None and maps[0].shape == maps[1].shape:
            self.map_differences.set_picture(self._sides[0].scene.picture.pixels)
            self.map_differences.show(
                maps[1][0] - maps[0][0],
                f"{first} · {self.names[1]} − {self.names[0]}",
                placement=self._sides[0].scene.first.placements.get(first),
                channel=self._sides[0].feature_maps.channel,
            )
        else:
            self.map_differences.clear(_OTHER_CHANNELS if not self._linked else "The maps are of two sizes.")

    def show_common(self, common: CommonView, target: int) -> None:
        """What both say of the photograph, and where they part."""
        board, (first, second) = self.board, common.scenes
        shares = Shares(first, second, common.pairs)
        sentences = predictions(self.names, shares)
        notes = [
            common.pairs.note,
            *(
                f"{name}: {note}"
                for name, scene in zip(self.names, common.scenes, strict=True)
                for note in map(as_sentence, scene.picture.notes)
            ),
        ]
        if common.likenesses:
            sentences.append(where_they_part(common.likenesses, torch.equal(first.logits, second.logits)))
        elif common.one_architecture:
            notes.append("Both see other numbers of the photograph, so that they part before their first layer.")
        with board.hold_sync():
            board.sentences, board.notes = sentences, [note for note in notes if note]
            board.photograph = first.name
            board.summaries = [model_summary(scene.architecture) for scene in common.scenes]
        board.show_classes(shares.rows(target))
        alike = common.likenesses
        board.show_layers(
            [layer.layer for layer in alike],
            [_finite_or_none(layer.cka) for layer in alike],
            [_finite_or_none(layer.apart) for layer in alike],
        )

    def show_maps(
        self,
        common: CommonView,
        results: tuple[Attribution | str, Attribution | str],
        difference: MapDifference | str,
        target: int,
        method: str,
        *,
        shared: bool,
    ) -> None:
        """Both maps of the score, and their difference."""
        notes = "", class_note(self.names, common, target, method)
        for side, scene, result, note in zip(self._sides, common.scenes, results, notes, strict=True):
            side.show_map(scene, result, note)
        self._rescale(shared)
        first = results[0]
        if isinstance(difference, str) or isinstance(first, str):
            self.difference.clear(str(difference))
            return
        scene = common.scenes[0]
        of_class = target_text(target, scene.label) if explainers.info(method).needs_target else ""
        unit = map_unit(first) if shared else "shares of each map's largest magnitude"
        self.difference.set_picture(difference.pixels)
        self.difference.show(
            difference.values,
            caption=f"{self.names[1]} − {self.names[0]}: {map_title(method, None, of_class)}",
            unit=unit,
            notes=[{"level": "ok", "text": difference.how}, *self._warnings(common, notes[1], shared)],
            placement=difference.placement,
        )

    def show_progress(self, share: float | None, text: str) -> None:
        """How far the long work is."""
        with self.board.hold_sync():
            self.board.progress, self.board.progress_text = share, text

    def set_busy(self, busy: bool, message: str) -> None:
        """Mark what is being computed."""
        self.board.busy = self.difference.busy = busy
        for side in self._sides:
            side.overlay.busy = busy
        if busy:
            self.board.clear_error()
        self.show_progress(0.0 if busy else None, message)

    def still(self) -> parts.Block:
        """Both maps and their difference, under what the board says."""
        third = (parts.WIDTH - 2 * parts.GAP) // 3
        beside = []
        for name, widget in [
            (self.names[0], self._sides[0].overlay),
            (f"{self.names[1]} − {self.names[0]}", self.difference),
            (self.names[1], self._sides[1].overlay),
        ]:
            block = overlay_still(widget, third)
            if block is not None:
                scale = min(1.0, third / block.width)
                small = block.resize((round(block.width * scale), round(block.height * scale)))
                beside.append(parts.column([parts.paragraph(name, width=third), small]))
        text = self.board._still()  # noqa: SLF001
        return parts.column([*([text] if text else []), parts.row(beside)])

    def close(self) -> None:
        """Close what is not a network's own."""
        for widget in (self.difference, self.map_differences, self._grid):
            close_widget(widget)

    def _warnings(self, common: CommonView, other_class: str, shared: bool) -> list[str]:
        return [*([other_class] if other_class else []), *([_RAW] if shared and not common.one_architecture else [])]

    def _repaint(self, other: HeatmapOverlay, change: Any, shared: bool) -> None:
        if getattr(other, change["name"]) != change["new"]:
            setattr(other, change["name"], change["new"])
            if change["name"] in _OF_BOTH:
                setattr(self.difference, change["name"], change["new"])
        self._rescale(shared)

    def _rescale(self, shared: bool) -> None:
        """Give both maps one scale, that of the larger; or each its own."""
        overlays = [side.overlay for side in self._sides]
        own = [_own_limit(overlay) for overlay in overlays]
        for overlay in overlays:
            overlay.limit = max(own) if shared else 0.0
        dark = [name for name, limit in zip(self.names, own, strict=True) if 0 < limit < _SMALL * max(own)]
        note = (
            ""
            if not (shared and dark)
            else (
                f"On the common scale {dark[0]}'s map is nearly dark: its largest number is "
                f"{100 * min(own) / max(own):.2g} % of the other's. Choose each map's own scale to see where it is."
            )
        )
        notes = [text for text in self.board.notes if "nearly dark" not in text]
        self.board.notes = [*notes, *([note] if note else [])]

    def _channel_chosen(self, widgets: list[FeatureMaps], channel: int | None) -> None:
        """The same map is large in all, where channels correspond."""
        for widget in widgets if self._linked else []:
            if widget.channel != channel and newest_push(widget, "maps").arrays:
                widget.channel = channel


def _own_limit(overlay: HeatmapOverlay) -> float:
    """The end of the scale that a map has by itself."""
    arrays, content = newest_push(overlay, "map")
    if "values" not in arrays:
        return 0.0
    sign = "positive" if content["unsigned"] else overlay.sign
    return still_maps.map_scale(arrays["values"], arrays.get("magnitude"), sign, overlay.clip).limit


def _finite_or_none(number: float) -> float | None:
    return number if math.isfinite(number) else None
