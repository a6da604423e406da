"""The difference of two maps, on one grid of the photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.pictures.decode import decoded
from cnnwidgets.pictures.frame import Frame, frame_of
from cnnwidgets.tracing.placement import Placement

UNKNOWN = (
    "No difference map: it cannot be told which part of the photograph each network sees, so that a place of one map "
    "has no known partner in the other. Pass a preprocess= of torchvision or timm, or one for both."
)
_ALL: Frame = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class MapDifference:
    """The second map minus the first.

    Attributes:
        values: (h, w) float32, signed.
        pixels: (H, W, 3) uint8, what lies under it.
        placement: where it lies on them, there where both have cells; None: over all.
        how: how both were brought to one grid, a sentence.
    """

    values: npt.NDArray[np.float32]
    pixels: npt.NDArray[np.uint8]
    placement: Placement | None
    how: str


def frame_seen(session: Session, scene: Scene) -> Frame | None:
    """Which part of the photograph the network sees; None where that cannot be told."""
    image = session.images[scene.name]
    if isinstance(image, torch.Tensor):
        return _ALL if image.shape[-2:] == scene.picture.tensor.shape[-2:] else None
    picture = decoded(image)
    return None if picture is None else frame_of(session.transform, *picture[0].size)


def map_of(attribution: Attribution, *, by_largest: bool) -> torch.Tensor:
    """The map (h, w) that is compared: of an input gradient the largest magnitude over the channels.

    Args:
        by_largest: in shares of its own largest magnitude.
    """
    values = attribution.values[0]
    heat = values.abs().amax(0) if values.ndim == 3 else values
    largest = heat.nan_to_num(0, 0, 0).abs().max()
    return heat / largest if by_largest and largest > 0 else heat


def map_difference(
    maps: tuple[torch.Tensor, torch.Tensor],
    placements: tuple[Placement | None, Placement | None],
    scenes: tuple[Scene, Scene],
    frames: tuple[Frame | None, Frame | None],
    *,
    same_input: bool,
) -> MapDifference | None:
    """``maps`` (h, w) of both networks, the second minus the first.

    Args:
        placements: where each lies in what its network sees; None: over all of it.
        frames: the part of the photograph that each sees.
        same_input: both see the same part of it at the same size.

    Returns:
        None where no grid is common to both.
    """
    pixels = scenes[0].picture.pixels
    inputs = [(int(scene.picture.tensor.shape[-2]), int(scene.picture.tensor.shape[-1])) for scene in scenes]
    if same_input and maps[0].shape == maps[1].shape and placements[0] == placements[1]:
        cells = " × ".join(map(str, maps[0].shape))
        return MapDifference(
            _subtracted(*maps),
            pixels,
            placements[0],
            f"Cell by cell: both maps have the same {cells} cells at the same places.",
        )
    first_frame, second_frame = (_ALL, _ALL) if same_input else frames
    if first_frame is None or second_frame is None:
        return None
    common = _overlap(first_frame, second_frame)
    boxes = [
        _shares_of((0.0, 0.0, *map(float, sides)) if placement is None else placement.box, frame, sides)
        for placement, frame, sides in zip(placements, (first_frame, second_frame), inputs, strict=True)
    ]
    inside = None if common is None else _overlap(common, *boxes)
    if common is None or inside is None:
        return None
    under, cells = _box_in(common, first_frame, inputs[0]), _box_in(inside, first_frame, inputs[0])
    size, grid = _size_of(under), _size_of(cells)
    laid = [
        Placement(_box_in(box, inside, grid), grid).on(heat[None], grid, outside=None)[0]
        for heat, box in zip(maps, boxes, strict=True)
    ]
    how = (
        f"Maps of {_cells(maps[0])} and {_cells(maps[1])} cells, each laid bilinearly on {grid[0]} × {grid[1]} places "
        "of what both networks see of the photograph, and subtracted there."
    )
    placement = None if inside == common else Placement(_box_in(inside, common, size), size)
    return MapDifference(_subtracted(*laid), _part_of(pixels, inputs[0], under, size), placement, how)


def _overlap(*parts: Frame) -> Frame | None:
    """What lies in all ``parts``."""
    tops, lefts, bottoms, rights = zip(*parts, strict=True)
    frame = max(tops), max(lefts), min(bottoms), min(rights)
    return frame if frame[0] < frame[2] and frame[1] < frame[3] else None


def _size_of(box: Frame) -> tuple[int, int]:
    return max(1, round(box[2] - box[0])), max(1, round(box[3] - box[1]))


def _shares_of(box: Frame, frame: Frame, sides: tuple[int, int]) -> Frame:
    """``box`` in pixels of the input that shows ``frame``, in shares of the photograph."""
    ends = [frame[end % 2] + box[end] / sides[end % 2] * (frame[end % 2 + 2] - frame[end % 2]) for end in range(4)]
    return ends[0], ends[1], ends[2], ends[3]


def _box_in(part: Frame, frame: Frame, sides: tuple[int, int]) -> Frame:
    """The other way round: ``part`` of the photograph in pixels of the input that shows ``frame``."""
    ends = [(part[end] - frame[end % 2]) / (frame[end % 2 + 2] - frame[end % 2]) * sides[end % 2] for end in range(4)]
    return ends[0], ends[1], ends[2], ends[3]


def _part_of(
    pixels: npt.NDArray[np.uint8], sides: tuple[int, int], box: Frame, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    down, across = pixels.shape[0] / sides[0], pixels.shape[1] / sides[1]
    top, left, bottom, right = box
    part = (left * across, top * down, right * across, bottom * down)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR, box=part))


def _cells(heat: torch.Tensor) -> str:
    return " × ".join(map(str, heat.shape))


def _subtracted(first: torch.Tensor, second: torch.Tensor) -> npt.NDArray[np.float32]:
    return np.asarray((second - first).float().numpy(), np.float32)
