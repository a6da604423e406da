"""Ablation-CAM: how much the score falls without each map of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.outputs.scorer import Scorer
from cnnwidgets.outputs.targets import Target, class_scores
from cnnwidgets.running.batches_of_one import ONE_BY_ONE
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.batches import estimated_batch
from .engine.channels import limit_notes, strongest
from .engine.chunks import Chunks, batch_size
from .engine.inputs import which_images
from .engine.one_layer import LayerPass, layer_pass
from .engine.values import COMPLEX
from .registry import register

# Numbers of one batch of edited maps: 64 MB on a CPU in float32, where larger batches are no faster.
_NUMBERS_CPU = 2**24
_NUMBERS_GPU = 2**27
_MOST = 256
_NO_REUSE = "the model does not allow what precedes the layer to be reused; all of it was run for each map"
"""The map is right all the same; it took longer."""


@register(
    "ablation_cam",
    family="cam",
    question="Which places does the score need: what if maps of this layer are switched off?",
    label="Ablation-CAM",
    unit="weighted activation",
    needs_layer=True,
)
def ablation_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    batch: int | None = None,
    channels: int | None = None,
    progress: ProgressCallback | bool | None = None,
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by how much the score falls when that map is set to zero.

    ``sum_k w_k A_k`` with ``w_k = (S_c - S_c without A_k) / |S_c|`` (Desai and Ramaswamy 2020, "Ablation-CAM"), before
    its ReLU. The paper divides by ``S_c``, which it takes to be positive; its magnitude keeps the signs right where
    the score is negative. A score of exactly 0 divides nothing. It needs no gradient. What precedes the layer is
    computed once; a few maps are checked against the whole model, which takes over, with a note, if they differ.

    Args:
        model, images, target, layer, call, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        batch: maps switched off at a time; None: by the size of the layer's output. Halved when memory runs out.
        channels: look only at this many of the maps, those that vary most over places; the others count as 0, and a
            note says so.
        progress: a callback, given a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            Attribution so far. It may raise ``Cancelled``. True: a tqdm bar.

    Returns:
        Values (N, h, w), signed; larger is more evidence for the target.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM, except that no gradient
            is needed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.ones_(net[0].weight), net[2].weight.data.copy_(torch.tensor([[3.0, 1.0]]))
        >>> ablation_cam(net, torch.tensor([[[[2.0]]]]), layer="0").values  # S = 8: 6/8 * 2 + 2/8 * 2
        tensor([[[2.]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens, gradient=False)
    if COMPLEX in seen.notes:
        raise InputError(
            f"Layer {seen.name!r} returns complex maps, whose channels Ablation-CAM cannot switch off. Choose another "
            "layer, or grad_cam."
        )
    work = _Ablations(model, images, seen, channels)
    chunks = Chunks(batch_size(batch, _estimate(seen.maps[0])))
    with Meter(progress, work.left) as meter:
        for index in range(len(images)):
            for part in work.of_image(index, chunks):
                meter.advance(part, work.result() if callable(progress) else None)
    return work.result()


def _estimate(maps: torch.Tensor) -> int:
    numbers = _NUMBERS_CPU if maps.device.type == "cpu" else _NUMBERS_GPU
    return max(1, min(_MOST, numbers // maps.numel()))


class _Ablations:
    """Switches maps off, and knows what has been found by now."""

    def __init__(self, model: nn.Module, images: torch.Tensor, seen: LayerPass, channels: int | None) -> None:
        self._model, self._images, self._seen, self._channels = model, images, seen, channels
        self._scorer = Scorer(seen.outputs, seen.chosen, seen.score, len(seen.scores))
        self._reused, self._one_by_one = True, False
        dtype = torch.float64 if seen.scores.dtype == torch.float64 else torch.float32
        self._scores = seen.scores.to(dtype)
        self._falls = torch.zeros(seen.maps.shape[:2], dtype=dtype, device=seen.maps.device)
        self._todo = [strongest(maps, channels).tolist() for maps in seen.maps]
        self.left = sum(map(len, self._todo))

    def of_image(self, index: int, chunks: Chunks) -> Iterator[int]:
        """Find the falls of the score of one image; yields how many more maps are done."""
        maps, channels = self._seen.maps[index], self._todo[index]
        # Switching off a map that is zero changes nothing; after a ReLU there are many.
        some = maps.flatten(1).any(1).tolist()
        alive = [channel for channel in channels if some[channel]]
        if len(alive) < len(channels):
            self.left -= len(channels) - len(alive)
            yield len(channels) - len(alive)
        image, seen = self._images[index : index + 1], self._seen
        edits = LayerEdits(
            self._model,
            image,
            seen.name,
            seen.index,
            read=lambda outputs, count: self._scorer(outputs, index, count),
            functions=seen.functions,
            form=seen.form,
            scale=self._scale(index),
            in_full=estimated_batch(image[0], len(alive)),
        )

        def scores(now: list[int]) -> torch.Tensor:
            return edits.scores(now, lambda some: _without(maps, some))

        quick: list[int] = []
        for now, found in chunks.each(alive, scores):
            quick += now if edits.reused else []
            self._falls[index, now] = self._scores[index] - found.to(self._falls)
            self.left -= len(now)
            yield len(now)
        if quick and not edits.reused:  # what the engine said before it failed does not count
            for now, found in chunks.each(quick, scores):
                self._falls[index, now] = self._scores[index] - found.to(self._falls)
                yield 0
        self._reused &= edits.reused
        self._one_by_one |= edits.takes_one

    def _scale(self, index: int) -> float:
        """The size of the numbers that the score is rounded like."""
        seen = self._seen
        beside = seen.score == "logit" and not callable(seen.chosen)
        numbers = class_scores(seen.outputs, batch=len(self._scores))[index] if beside else seen.scores[index]
        return float(numbers.detach().abs().nan_to_num(0.0, 0.0, 0.0).max())

    def result(self) -> Attribution:
        """The map of what is known by now."""
        divisor = self._scores.abs()
        weights = self._falls / torch.where(divisor == 0, 1.0, divisor)[:, None]
        values = torch.einsum("nk,nkhw->nhw", weights.to(self._seen.maps), self._seen.maps)
        return self._seen.attribution(values, "ablation_cam", *self._notes())

    def _notes(self) -> Iterator[str]:
        if self.left:
            yield f"partial: {self.left} maps are still to be switched off"
        yield from limit_notes(self._channels, self._seen.maps.shape[1])
        if self._one_by_one:
            yield ONE_BY_ONE
        if not self._reused:
            yield _NO_REUSE
        negative, zero = self._scores < 0, self._scores == 0
        if bool(negative.any()):
            yield f"the score is negative: weights are divided by its magnitude{which_images(negative)}"
        if bool(zero.any()):
            yield f"the score is 0, so weights are not divided by it{which_images(zero)}"
        silent = ~(self._falls != 0).any(1)
        if not self.left and bool(silent.any()):
            yield f"switching off any one map changes nothing{which_images(silent)}"


def _without(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    """(B, K, h, w): copies of (K, h, w), each with one map set to zero."""
    edits = maps.expand(len(channels), *maps.shape).clone(memory_format=torch.channels_last)
    edits[torch.arange(len(channels)), list(channels)] = 0
    return edits
