"""Networks that find objects: a list of boxes, labels and scores an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.explainers.targets import detection_score
from cnnwidgets.outputs.detections import detections
from cnnwidgets.outputs.scores import shown

from .task import Mark, Task

MOST = 20
LEAST_SCORE = 0.05
_FEW = 5  # offered where none has that score
_NONE = (
    "The detector finds nothing in this photograph, so there is no object to explain. Its graph and its maps can be "
    "looked at; the score is that of the best detection, 0 as long as there is none."
)


@dataclass(frozen=True, eq=False)
class DetectionTask(Task):
    """Column k is the score of the k-th detection in the unedited photograph, wherever an edit moves it.

    Attributes:
        names: what each detection is said to be.
    """

    column: ClassVar[str] = "box"
    picking: ClassVar[str] = "marks"
    one_wins: ClassVar[bool] = False
    columns_stay: ClassVar[bool] = False
    part: ClassVar[str] = "box"
    names: tuple[str, ...] = ()

    def sentence(self, index: int) -> str:
        """Which detection is explained."""
        if not self.marks:
            return "The detector finds nothing in this photograph: the best score of any detection, which is 0."
        name = self.names[index]
        return (
            f"Explains how sure the detector is of {name} in box {index + 1}; 0 where no {name} is detected that "
            "overlaps the box by half."
        )


def detection_task(
    outputs: Any, labels: Sequence[str] | None = None, objects_of: Callable[[Any], Any] | None = None
) -> DetectionTask:
    """The task of a detector that returned ``outputs`` for one photograph.

    Args:
        outputs: what :func:`~cnnwidgets.outputs.detections.detections` takes.
        labels: names of the labels, by number.
        objects_of: makes that of what the model returns; None: the model returns it.

    Raises:
        TargetError: the dict lacks one of these.
    """
    objects = detections(outputs if objects_of is None else objects_of(outputs))
    if not objects:
        raise TargetError(
            f"The model returned {shown(outputs)}; expected a dict of boxes, labels and scores an image, as detectors "
            "return."
        )
    boxes, numbers, scores = (objects[0][key].detach().float().cpu() for key in ("boxes", "labels", "scores"))
    is_box = (boxes.isfinite().all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)).tolist()
    order = [index for index in scores.argsort(descending=True, stable=True).tolist() if is_box[index]]
    sure = [index for index in order if scores[index] >= LEAST_SCORE][:MOST]
    few = sure or order[:_FEW]
    if not few:
        return DetectionTask(
            outputs="sigmoid",
            output=_composed(objects_of, _best_of_all),
            labels=("any detection",),
            first=0,
            notes=(_NONE,),
        )
    names = tuple(_label_name(int(numbers[index]), labels) for index in few)
    notes = []
    if not sure:
        notes.append(f"No detection has a score of {LEAST_SCORE} or more; the best {len(few)} are offered.")
    if len(sure) == MOST and len(order) > MOST:
        notes.append(f"The {MOST} detections with the highest scores are offered, of {len(order)}.")
    return DetectionTask(
        outputs="sigmoid",
        output=_composed(objects_of, _scores_of([(boxes[index], int(numbers[index])) for index in few])),
        labels=tuple(f"{name} (box {number})" for number, name in enumerate(names, 1)),
        first=0,
        marks=tuple(
            Mark(_corner_and_size(boxes[index]), f"{number + 1} {name} {float(scores[index]):.2f}", number)
            for number, (index, name) in enumerate(zip(few, names, strict=True))
        ),
        notes=tuple(notes),
        names=names,
    )


def _composed(first: Callable[[Any], Any] | None, then: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    return then if first is None else lambda outputs: then(first(outputs))


def _scores_of(objects: Sequence[tuple[torch.Tensor, int]]) -> Any:
    targets = [detection_score(box, label) for box, label in objects]

    def scores_of_detections(outputs: Any) -> torch.Tensor:
        return torch.stack([target(outputs) for target in targets], 1)

    return scores_of_detections


def _best_of_all(outputs: Any) -> torch.Tensor:
    """(N, 1): the highest score of any detection, 0 where there is none."""
    objects = detections(outputs)
    if objects is None:
        raise TargetError(f"The detector returned {shown(outputs)}.")
    scores_by_image = [of_image["scores"] for of_image in objects]
    best = [scores.amax() if len(scores) else scores.new_zeros(()) for scores in scores_by_image]
    return torch.stack(best)[:, None]


def _corner_and_size(box: torch.Tensor) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return top, left, bottom - top, right - left


def _label_name(number: int, labels: Sequence[str] | None) -> str:
    return labels[number] if labels is not None and 0 <= number < len(labels) else f"label {number}"
