"""Ablation-CAM: how much the score falls without each map of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.outputs.targets import Target, class_scores
from cnnwidgets.running.batches_of_one import ONE_BY_ONE
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.channels import ChannelSweep
from .engine.inputs import which_images
from .engine.memory import Chunks, estimated_batch
from .engine.one_layer import LayerPass, one_layer
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
    layer_pass = one_layer(model, images, target, layer, call, score, tokens, gradient=False)
    if COMPLEX in layer_pass.notes:
        raise InputError(
            f"Layer {layer_pass.name!r} returns complex maps, whose channels Ablation-CAM cannot switch off. Choose "
            "another layer, or grad_cam."
        )
    numbers = _NUMBERS_CPU if layer_pass.maps.device.type == "cpu" else _NUMBERS_GPU
    chunks = Chunks(max(1, min(_MOST, numbers // layer_pass.maps[0].numel())), batch)
    return _Ablations(model, images, layer_pass, channels, chunks).run(progress)


class _Ablations(ChannelSweep):
    """Switches maps off."""

    method, remaining = "ablation_cam", "maps are still to be switched off"

    def __init__(
        self, model: nn.Module, images: torch.Tensor, layer_pass: LayerPass, channels: int | None, chunks: Chunks
    ) -> None:
        super().__init__(model, images, layer_pass, channels, chunks)
        self._reused, self._one_by_one = True, False
        self._scores = layer_pass.scores.to(self._dtype)
        self._falls = torch.zeros(layer_pass.maps.shape[:2], dtype=self._dtype, device=layer_pass.maps.device)

    def of_image(self, index: int) -> Iterator[int]:
        maps, channels = self._layer_pass.maps[index], self._todo[index]
        # Switching off a map that is zero changes nothing; after a ReLU there are many.
        any_value = maps.flatten(1).any(1).tolist()
        alive = [channel for channel in channels if any_value[channel]]
        if len(alive) < len(channels):
            yield len(channels) - len(alive)
        edits = self._edits(index, len(alive))

        def measure(numbers: list[int]) -> Iterator[list[int]]:
            for now, scores in self._chunks.each(
                numbers, lambda now: edits.scores(now, lambda n: _one_zeroed(maps, n))
            ):
                self._falls[index, now] = self._scores[index] - scores.to(self._falls)
                yield now

        quick: list[int] = []
        for now in measure(alive):
            quick += now if edits.reused else []
            yield len(now)
        if quick and not edits.reused:  # what the engine said before it failed does not count
            for _ in measure(quick):
                yield 0
        self._reused &= edits.reused
        self._one_by_one |= edits.takes_one

    def _edits(self, index: int, count: int) -> LayerEdits:
        image, layer_pass = self._images[index : index + 1], self._layer_pass
        # The score is rounded like the largest of the numbers beside it.
        beside = layer_pass.score == "logit" and not callable(layer_pass.target)
        table = class_scores(layer_pass.outputs, batch=len(self._scores)) if beside else layer_pass.scores
        return LayerEdits(
            self._model,
            image,
            layer_pass.name,
            layer_pass.index,
            read=lambda outputs, batch: self._score_of(outputs, index, batch),
            functions=layer_pass.functions,
            form=layer_pass.form,
            scale=float(table[index].detach().abs().nan_to_num(0.0, 0.0, 0.0).max()),
            in_full=estimated_batch(image[0], count),
        )

    def weights(self) -> torch.Tensor:
        divisor = self._scores.abs()
        return self._falls / torch.where(divisor == 0, 1.0, divisor)[:, None]

    def notes(self) -> Iterator[str]:
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
        if not self._left and bool(silent.any()):
            yield f"switching off any one map changes nothing{which_images(silent)}"


def _one_zeroed(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    """(B, K, h, w): copies of (K, h, w), each with one map set to zero."""
    edits = maps.expand(len(channels), *maps.shape).clone(memory_format=torch.channels_last)
    edits[torch.arange(len(channels)), list(channels)] = 0
    return edits
