"""Exemplars as a header and arrays, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .heaps import Heap
from .map_layers import MapLayer
from .tally import Tally

_FIELDS = ("name", "call", "channels", "grid", "image", "extent", "notes")


def stored_header(
    layers: Mapping[str, MapLayer], tally: Tally, *, k: int, count: int | None, notes: Iterable[str]
) -> dict[str, Any]:
    """What is no array."""
    described = [{field: getattr(layer, field) for field in _FIELDS} for layer in layers.values()]
    return {
        "layers": described,
        "k": k,
        "count": count,
        "notes": list(notes),
        "spans": tally.spans,
        "holed": dict(tally.holed),
        "pass_notes": tally.notes,
    }


def stored_arrays(layers: Mapping[str, MapLayer], tally: Tally) -> dict[str, npt.NDArray[Any]]:
    """Value, image, row and column of every exemplar: 12 bytes; and what the cells of each layer see."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for number, (name, layer) in enumerate(layers.items()):
        heap, width = tally.heaps[name], layer.grid[1]
        cells = np.maximum(heap.cells, 0)
        arrays |= {
            f"value_{number}": heap.values,
            f"image_{number}": heap.images.astype(np.int32),
            f"row_{number}": (cells // width).astype(np.uint16),
            f"column_{number}": (cells % width).astype(np.uint16),
            f"rows_{number}": layer.rows,
            f"columns_{number}": layer.columns,
        }
    return arrays


def layers_of(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, MapLayer]:
    """The layers in what was stored."""
    layers = {}
    for number, entry in enumerate(header["layers"]):
        parts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
        }
        rows, columns = arrays[f"rows_{number}"], arrays[f"columns_{number}"]
        layers[str(entry["name"])] = MapLayer(**parts, rows=rows, columns=columns)
    return layers


def tally_of(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Tally:
    """What the pass had come to."""
    heaps = {}
    for number, entry in enumerate(header["layers"]):
        images = arrays[f"image_{number}"].astype(np.int64)
        rows, columns = (arrays[f"{axis}_{number}"].astype(np.int64) for axis in ("row", "column"))
        cells = np.where(images < 0, -1, rows * entry["grid"][1] + columns)
        heaps[entry["name"]] = Heap(arrays[f"value_{number}"], images, cells)
    spans = tuple((start, stop) for start, stop in header["spans"])
    return Tally(heaps, dict(header["holed"]), spans, tuple(header["pass_notes"]))
