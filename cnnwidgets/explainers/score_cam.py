"""Score-CAM: what the model says of the image seen through each map of a layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.outputs.scorer import Scorer
from cnnwidgets.outputs.targets import Target
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import Placement, enlarged

from .attribution import Attribution
from .engine.batches import estimated_batch
from .engine.channels import limit_notes, strongest
from .engine.chunks import Chunks, batch_size
from .engine.inputs import which_images
from .engine.one_layer import LayerPass, layer_pass
from .registry import register


@register(
    "score_cam",
    family="cam",
    question="Which places suffice for the score, if the image is seen through this layer's maps?",
    label="Score-CAM",
    unit="weighted activation",
    needs_layer=True,
)
def score_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "probability",
    batch: int | None = None,
    channels: int | None = None,
    progress: ProgressCallback | bool | None = None,
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by the score of the image masked with that map.

    ``sum_k a_k A_k`` with ``a = softmax over k of S_c(X * M_k)`` (Wang et al. 2020, "Score-CAM", algorithm 1), before
    its ReLU. ``M_k`` is ``A_k`` enlarged bilinearly to the part of the image where it lies and scaled to [0, 1];
    it multiplies the model's input, so where the mask is 0 the model sees zeros. The score of a baseline image, which
    the paper subtracts, is the same for all k and drops out of the softmax. Maps that are equal everywhere make no
    mask and count as 0.
    It needs no gradient, and one run of the whole model for each map.

    As in the paper (section 3.3) the score is the probability by default. The softmax over k then lets weights differ
    by a factor of e at most, so the map is close to the mean of the layer's maps; ``score="logit"`` separates more.

    Args:
        model, images, target, layer, call, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        score: ``"probability"`` or ``"logit"``. A callable target decides by itself.
        batch: masked images at a time; None: by the image's size. Halved when memory runs out.
        channels: look only at this many of the maps, those that vary most over places; the others count as 0, and a
            note says so.
        progress: a callback, given a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            Attribution so far. It may raise ``Cancelled``. True: a tqdm bar.

    Returns:
        Values (N, h, w); weights are positive, so they are negative only where the layer's maps are.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM, except that no gradient
            is needed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> net[0].weight.data, net[0].bias.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1), torch.tensor([0.0, 3.0])
        >>> net[2].weight.data = torch.zeros(1, 4)
        >>> score_cam(net, torch.tensor([[[[1.0, 2.0]]]]), layer="0").values  # weights 1/2 of [1, 2] and [2, 1]
        tensor([[[1.5000, 1.5000]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens, gradient=False)
    chunks = Chunks(batch_size(batch, estimated_batch(images[0], seen.maps.shape[1])))
    work = _Masked(model, images, seen, channels, chunks)
    with Meter(progress, work.left) as meter:
        for index in range(len(images)):
            for part in work.of_image(index):
                meter.advance(part, work.result() if callable(progress) else None)
    return work.result()


class _Masked:
    """Shows the model masked images, and knows what it has said by now."""

    def __init__(
        self, model: nn.Module, images: torch.Tensor, seen: LayerPass, channels: int | None, chunks: Chunks
    ) -> None:
        self._chunks = chunks
        self._model, self._images, self._seen, self._channels = model, images, seen, channels
        self._scorer = Scorer(seen.outputs, seen.chosen, seen.score, len(seen.scores))
        flat = seen.maps.amin((2, 3)) == seen.maps.amax((2, 3))
        self._todo = [
            [channel for channel in strongest(maps, channels).tolist() if not same[channel]]
            for maps, same in zip(seen.maps, flat.tolist(), strict=True)
        ]
        self.left = sum(map(len, self._todo))
        dtype = torch.float64 if seen.scores.dtype == torch.float64 else torch.float32
        # What has no score yet has no weight: exp(-inf) = 0.
        self._scores = torch.full(seen.maps.shape[:2], -torch.inf, dtype=dtype, device=seen.maps.device)

    def of_image(self, index: int) -> Iterator[int]:
        """Score one image through its maps; yields how many more are done."""
        image = self._images[index : index + 1]

        def scores(now: list[int]) -> torch.Tensor:
            with torch.no_grad():
                masked = image * masks(self._seen.maps[index, now], image.shape[-2:], self._seen.placement).to(
                    image.dtype
                )
                return self._scorer(run(self._model, masked), index, len(now))

        for now, found in self._chunks.each(self._todo[index], scores):
            self._scores[index, now] = found.to(self._scores)
            self.left -= len(now)
            yield len(now)

    def result(self) -> Attribution:
        """The map of what is known by now."""
        known = ~self._scores.isneginf().all(1, keepdim=True)
        weights = self._scores.where(known, torch.zeros_like(self._scores)).softmax(1) * known
        values = torch.einsum("nk,nkhw->nhw", weights.to(self._seen.maps), self._seen.maps)
        return self._seen.attribution(values, "score_cam", *self._notes())

    def _notes(self) -> Iterator[str]:
        if self.left:
            yield f"partial: {self.left} masks are still to be scored"
        yield from self._chunks.notes
        yield from limit_notes(self._channels, self._seen.maps.shape[1])
        none = torch.tensor([not todo for todo in self._todo])
        if bool(none.any()):
            yield f"every map of this layer is the same at all places: nothing to mask with{which_images(none)}"


def masks(maps: torch.Tensor, size: torch.Size, placement: Placement | None = None) -> torch.Tensor:
    """(B, h, w), none of them flat, laid over the image at ``size`` and each scaled to [0, 1]: (B, 1, H, W)."""
    large = enlarged(maps, size, placement)[:, None]
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    # Enlarging less than the map's own size may flatten it.
    return (large - low) / torch.where(high == low, 1.0, high - low)
