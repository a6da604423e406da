"""What two networks say of one photograph, one class and one pair of layers; made on the worker's thread."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, message_of
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.pictures.frame import Frame

from .difference import UNKNOWN, MapDifference, frame_seen, map_difference, map_of
from .likeness import Likeness, likenesses
from .matching import ClassPairs, paired_classes, same_architecture
from .side import NetworkSide, Sides


@dataclass(frozen=True, eq=False)
class CommonView:
    """Both networks before one photograph.

    Attributes:
        scenes: what each says of it.
        pairs: which classes belong together.
        one_architecture: whether they are checkpoints of one.
        frames: the part of the photograph that each sees; None where that cannot be told.
        same_place: whether both see the same part of the photograph at the same size.
        likenesses: of each layer, in order; empty where they are not of one architecture, or see other numbers.
    """

    scenes: tuple[Scene, Scene]
    pairs: ClassPairs
    one_architecture: bool
    frames: tuple[Frame | None, Frame | None]
    same_place: bool
    likenesses: list[Likeness]

    @property
    def same_numbers(self) -> bool:
        """Whether both get the very same input."""
        return torch.equal(self.scenes[0].picture.tensor, self.scenes[1].picture.tensor)

    def is_of(self, scenes: tuple[Scene, Scene]) -> bool:
        """Whether it was made of these photographs and networks."""
        return all(own.first is scene.first for own, scene in zip(self.scenes, scenes, strict=True))


def common_view(sides: Sides, scenes: tuple[Scene, Scene]) -> CommonView:
    """Compare what does not depend on the class explained."""
    first, second = (scene.picture.tensor for scene in scenes)
    frames = [frame_seen(side.session, scene) for side, scene in zip(sides, scenes, strict=True)]
    same_numbers = torch.equal(first, second)
    transforms = [side.session.preprocess for side in sides]
    one_transform = transforms[0] is not None and transforms[0] is transforms[1]
    same_place = first.shape[-2:] == second.shape[-2:] and (
        same_numbers or one_transform or (frames[0] is not None and frames[0] == frames[1])
    )
    alike_built = same_architecture(*scenes)
    alike = likenesses(*scenes) if alike_built and same_numbers else []
    return CommonView(scenes, paired_classes(*scenes), alike_built, (frames[0], frames[1]), same_place, alike)


def explained_by(
    side: NetworkSide, scene: Scene, method: str, layer: str, progress: ProgressCallback
) -> Attribution | str:
    """The map of ``method``; or, where there is none, why."""
    try:
        return side.session.explain(scene, method, layer, progress)
    except Cancelled:
        raise
    except Exception as error:
        return message_of(error)


def difference_of(
    view: CommonView, results: tuple[Attribution | str, Attribution | str], *, by_largest: bool
) -> MapDifference | str:
    """The second map minus the first; or why there is no such map."""
    first, second = results
    if isinstance(first, str) or isinstance(second, str):
        return "No difference: one of the two maps is missing."
    return (
        map_difference(
            (map_of(first, by_largest=by_largest), map_of(second, by_largest=by_largest)),
            (first.placement, second.placement),
            view.scenes,
            view.frames,
            same_input=view.same_place,
        )
        or UNKNOWN
    )


def class_note(names: tuple[str, str], view: CommonView, target: int, method: str) -> str:
    """What is said beside the second map where it explains another class than the first; else empty."""
    if target in view.pairs.second or not explainers.info(method).needs_target:
        return ""
    first, second = view.scenes
    return (
        f"{names[1]} has no class that is known to be {first.label(target)}: its map explains "
        f"{second.label(second.predicted)}, which it gives most."
    )
