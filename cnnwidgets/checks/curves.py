"""Does the score need what the map marks? Insertion and deletion curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.arrays import dataframe
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.explainers.engine.memory import Chunks, estimated_batch
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading, readout_of
from cnnwidgets.outputs.targets import Chosen, Scorer, Target, resolve
from cnnwidgets.running.batches_of_one import may_be_the_batch, refuse_several
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.placement import Placement

from ._orders import baselines, elsewhere, importance, ranks

Score = Literal["probability", "logit"]
_MOST_REPEATS = 1_000


@dataclass(frozen=True, eq=False, repr=False)
class Curves:
    """What :func:`insertion_deletion` measured; NaN where it is not known yet.

    Attributes:
        fractions: (steps + 1,) of the pixels that are hidden (deletion) or revealed (insertion), 0 to 1.
        deletion: (N, steps + 1) the target's score while the most important pixels are hidden first.
        insertion: (N, steps + 1) while they are revealed first.
        random_deletion: (N, repeats, steps + 1) the same in the order of the map put at other places.
        random_insertion: (N, repeats, steps + 1).
        scores: (N,) of the whole images.
        target: the class of each image, or the callable.
        score: ``"probability"``, ``"logit"``, or ``"score"`` for a callable's.
        notes: what the reader must know; empty when all went well.
        complete: whether every point has been measured.
    """

    fractions: torch.Tensor
    deletion: torch.Tensor
    insertion: torch.Tensor
    random_deletion: torch.Tensor
    random_insertion: torch.Tensor
    scores: torch.Tensor
    target: Chosen
    score: str
    notes: tuple[str, ...] = ()
    complete: bool = True

    @property
    def deletion_area(self) -> torch.Tensor:
        """(N,) under the deletion curve; small when the score needs what the map marks."""
        return torch.trapezoid(self.deletion, self.fractions)

    @property
    def insertion_area(self) -> torch.Tensor:
        """(N,) under the insertion curve; large when what the map marks is enough for the score."""
        return torch.trapezoid(self.insertion, self.fractions)

    @property
    def random_deletion_area(self) -> torch.Tensor:
        """(N, repeats) under the curves of the random orders."""
        return torch.trapezoid(self.random_deletion, self.fractions)

    @property
    def random_insertion_area(self) -> torch.Tensor:
        """(N, repeats) under the curves of the random orders."""
        return torch.trapezoid(self.random_insertion, self.fractions)

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``, a row an image and fraction; the curves at random as their means."""
        images, points = self.deletion.shape
        random = {name: getattr(self, name).mean(1) for name in ("random_deletion", "random_insertion")}
        columns = {"image": [image for image in range(images) for _ in range(points)]}
        columns["fraction"] = self.fractions.tolist() * images
        for name, values in {"deletion": self.deletion, "insertion": self.insertion, **random}.items():
            columns[name] = values.flatten().tolist()
        return dataframe(columns)

    def __repr__(self) -> str:
        deletion, insertion = self.deletion_area.mean(), self.insertion_area.mean()
        others = self.random_deletion_area.mean(), self.random_insertion_area.mean()
        return (
            f"Curves(deletion area {deletion:.3f} (at random {others[0]:.3f}), "
            f"insertion area {insertion:.3f} (at random {others[1]:.3f}))"
        )


def insertion_deletion(
    model: nn.Module,
    images: torch.Tensor,
    attribution: Attribution | torch.Tensor,
    target: Target = None,
    *,
    steps: int = 28,
    baseline: float | str | None = None,
    score: Score = "probability",
    repeats: int = 4,
    seed: int = 0,
    batch: int | None = None,
    progress: ProgressCallback | bool | None = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
) -> Curves:
    """Hide, and reveal, the pixels of an image in the order of their importance, and watch the score.

    Insertion and deletion (Petsiuk et al. 2018, "RISE: Randomized input sampling for explanation of black-box models",
    section 4.1): the area under the deletion curve is small, and that under the insertion curve large, when the score
    depends on what the map marks. Both also depend on the network, the image and the baseline: compare them with the
    random orders beside them, which are the same map put at other places (mirrored, and moved around the edges).
    Edited images are unlike those that the network was trained on, and it may answer to the edges of what is hidden.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        attribution: the map, or its values: (N, h, w), where larger is more important, signed, or (N, C, H, W), whose
            largest magnitude over channels counts. Bilinear between the cells, where an Attribution's lie in the
            image; places that are not finite or have no cell come last, equal ones in random order.
        target: as for explainers; None: that of the map, or the predicted class.
        steps: in how many equal steps all pixels are hidden or revealed; no more than there are pixels.
        baseline: what hidden pixels show. None: as in the paper, 0 in the units of the model's input for deletion, and
            the blurred image (a Gaussian with a sigma of a twentieth of the longer side) for insertion. "blur", "mean"
            (of each channel), or a number: that, for both.
        score: "probability" or "logit". A callable target decides by itself.
        repeats: how many random orders.
        seed: of the random orders.
        batch: edited images at a time; None: by the image's size. Halved when memory runs out.
        progress: told after each batch, with the Curves so far as ``partial``; may raise ``Cancelled``.
        outputs, output: what the model's outputs are, and which of them holds the scores; as for explainers.

    Raises:
        InputError: an option is out of range, or there is not one map an image.
        CnnWidgetsError, TargetError: the model failed, or the target does not fit it.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0]]))
        >>> values = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]])
        >>> insertion_deletion(net, torch.ones(1, 1, 2, 2), values, 0, steps=4, baseline=0.0).deletion.tolist()
        [[10.0, 6.0, 3.0, 1.0, 0.0]]
    """
    readout = readout_of(model, outputs, output)
    images = checked(model, images)
    values = _values(attribution, images)
    if target is None and isinstance(attribution, Attribution):
        target = attribution.target
    checked_count(steps, "steps")
    checked_count(repeats, "repeats", least=0, most=_MOST_REPEATS)
    steps = min(steps, images.shape[2] * images.shape[3])
    with torch.no_grad(), preserved(model, evaluate=True):
        try:
            scores = ComparableScores(model, images, target, score, readout)
        except CnnWidgetsError as error:
            if may_be_the_batch(error):
                refuse_several(model, images, error)
            raise
        placement = attribution.placement if isinstance(attribution, Attribution) else None
        sweep = _Sweep(scores, images, baselines(images, baseline), values, placement, steps, repeats, seed, batch)
        with Meter(progress, len(sweep.edits) * len(images)) as meter:
            for index in range(len(images)):
                for count in sweep.measure(index):
                    meter.advance(count, sweep.result() if callable(progress) else None)
    return sweep.result()


class ComparableScores:
    """Scores of images and edits of them that can be compared with one another.

    Attributes:
        whole: (N,) float32, of the images as they are.
        classes: the class of each image, or the callable.
        unit: ``"probability"``, ``"logit"``, or ``"score"`` for a callable's and for what was said to be a number.
        notes: what there is to say about how the outputs are read.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, score: str, readout: Readout) -> None:
        self._model, self._readout = model, readout
        with reading(readout):
            outputs = again(lambda: run(model, images.clone()))
            whole, self.classes = resolve(target, outputs, score=score, batch=len(images))
            self._scorer = Scorer(outputs, self.classes, score, len(images))
        self.whole = whole.detach().float().cpu()
        kind = self._scorer.kind
        self.unit = "probability" if score == "probability" or kind in ("softmax", "sigmoid") else "logit"
        if kind is None or kind == "number":  # which of the two a single output is, nobody knows
            self.unit = "score" if readout.outputs is not None or kind is None else "logit"
        self.notes = readout.notes

    def of(self, index: int, edited: torch.Tensor) -> torch.Tensor:
        """(B,) float32 on the CPU, for edits (B, C, H, W) of image ``index``."""
        with reading(self._readout):
            return self._scorer(run(self._model, edited), index, len(edited)).detach().float().cpu()


class _Sweep:
    """What is asked of the model, and what it has answered so far.

    The curves of an image are rows: deletion and insertion in the map's order, then in each random one.
    """

    def __init__(
        self,
        scores: ComparableScores,
        images: torch.Tensor,
        hidden: tuple[torch.Tensor, torch.Tensor],
        values: torch.Tensor,
        placement: Placement | None,
        steps: int,
        repeats: int,
        seed: int,
        batch: int | None,
    ) -> None:
        self.scores, self.images, self._hidden, self._seed = scores, images, hidden, seed
        self._importances = importance(values, (images.shape[2], images.shape[3]), placement)
        self._lost = int((~values.isfinite()).sum())
        pixels = images.shape[2] * images.shape[3]
        self.counts = [round(step * pixels / steps) for step in range(steps + 1)]
        self.fractions = torch.tensor(self.counts, dtype=torch.float32) / pixels
        self.answers = torch.full((len(images), 1 + repeats, 2, steps + 1), torch.nan, dtype=torch.float32)
        self.answers[:, :, 0, 0] = self.answers[:, :, 1, -1] = scores.whole[:, None]
        # The ends, all hidden, are the same in every order: the first two edits.
        inner = [(order, kind, step) for order in range(1 + repeats) for step in range(1, steps) for kind in (0, 1)]
        self.edits = [(0, 0, steps), (0, 1, 0), *inner]
        self._measured = 0
        self._chunks = Chunks(estimated_batch(images[0], len(self.edits)), batch)

    def measure(self, index: int) -> Iterator[int]:
        """Answer all edits of image ``index``; yields how many were answered."""
        generator = torch.Generator().manual_seed(self._seed)
        importances = self._importances[index].cpu()
        maps = [importances, *(elsewhere(importances, generator) for _ in range(self.answers.shape[1] - 1))]
        orders = torch.stack([ranks(order_map, generator) for order_map in maps]).to(self.images.device)

        def work(now: list[int]) -> torch.Tensor:
            edited = torch.stack([self._edited(index, orders, *self.edits[edit]) for edit in now])
            return self.scores.of(index, edited)

        for now, scores in self._chunks.each(range(len(self.edits)), work):
            for edit, answer in zip(now, scores.tolist(), strict=True):
                order, kind, step = self.edits[edit]
                all_hidden = step == (0 if kind else len(self.counts) - 1)
                self.answers[index, slice(None) if all_hidden else order, kind, step] = answer
            self._measured += len(now)
            yield len(now)

    def _edited(self, index: int, orders: torch.Tensor, order: int, kind: int, step: int) -> torch.Tensor:
        first = orders[order] < self.counts[step]
        return torch.where(first if kind == 0 else ~first, self._hidden[kind][index], self.images[index])

    def result(self) -> Curves:
        """The curves by now; later answers do not change them."""
        answers = self.answers.clone()
        return Curves(
            fractions=self.fractions,
            deletion=answers[:, 0, 0],
            insertion=answers[:, 0, 1],
            random_deletion=answers[:, 1:, 0],
            random_insertion=answers[:, 1:, 1],
            scores=self.scores.whole,
            target=self.scores.classes,
            score=self.scores.unit,
            notes=tuple(self._notes()),
            complete=self._measured == len(self.images) * len(self.edits),
        )

    def _notes(self) -> Iterator[str]:
        yield from self.scores.notes
        yield from self._chunks.notes
        if self._lost:
            which = "value of the map is" if self._lost == 1 else "values of the map are"
            yield f"{self._lost} {which} not finite: last in the order"
        if bool((self._importances == self._importances.flatten(1)[:, :1, None]).all()):
            yield "the map is the same everywhere: its order is random"
        if not bool(self.scores.whole.isfinite().all()):
            yield "the score of the whole image is not a finite number"


def _values(attribution: Attribution | torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    values = attribution.values if isinstance(attribution, Attribution) else attribution
    if not isinstance(values, torch.Tensor) or values.ndim not in (3, 4) or len(values) != len(images):
        arrived = f"shape {tuple(values.shape)}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise InputError(
            f"The map has {arrived}; expected an Attribution of these {len(images)} images, or values (N, h, w) or "
            "(N, C, H, W), one map an image."
        )
    return values.detach().float().cpu()
