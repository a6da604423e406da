"""Score-CAM: what the model says of the image seen through each map of a layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.outputs.targets import Target
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import Placement, enlarged

from .attribution import Attribution
from .engine.channels import ChannelSweep
from .engine.inputs import which_images
from .engine.memory import Chunks, estimated_batch
from .engine.one_layer import LayerPass, one_layer
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
    layer_pass = one_layer(model, images, target, layer, call, score, tokens, gradient=False)
    chunks = Chunks(estimated_batch(images[0], layer_pass.maps.shape[1]), batch)
    return _Masked(model, images, layer_pass, channels, chunks).run(progress)


class _Masked(ChannelSweep):
    """Shows the model masked images."""

    method, remaining = "score_cam", "masks are still to be scored"

    def __init__(
        self, model: nn.Module, images: torch.Tensor, layer_pass: LayerPass, channels: int | None, chunks: Chunks
    ) -> None:
        super().__init__(model, images, layer_pass, channels, chunks)
        flat = (layer_pass.maps.amin((2, 3)) == layer_pass.maps.amax((2, 3))).tolist()
        self._todo = [[k for k in todo if not same[k]] for todo, same in zip(self._todo, flat, strict=True)]
        # What has no score yet has no weight: exp(-inf) = 0.
        shape, device = layer_pass.maps.shape[:2], layer_pass.maps.device
        self._scores = torch.full(shape, -torch.inf, dtype=self._dtype, device=device)

    def of_image(self, index: int) -> Iterator[int]:
        image, maps = self._images[index : index + 1], self._layer_pass.maps[index]

        def scores(channels: list[int]) -> torch.Tensor:
            with torch.no_grad():
                layers = masks(maps[channels], image.shape[-2:], self._layer_pass.placement)
                return self._score_of(run(self._model, image * layers.to(image.dtype)), index, len(channels))

        for channels, answers in self._chunks.each(self._todo[index], scores):
            self._scores[index, channels] = answers.to(self._scores)
            yield len(channels)

    def weights(self) -> torch.Tensor:
        scored = ~self._scores.isneginf().all(1, keepdim=True)
        return self._scores.where(scored, torch.zeros_like(self._scores)).softmax(1) * scored

    def notes(self) -> Iterator[str]:
        yield from self._chunks.notes
        none = torch.tensor([not todo for todo in self._todo])
        if bool(none.any()):
            yield f"every map of this layer is the same at all places: nothing to mask with{which_images(none)}"


def masks(maps: torch.Tensor, size: torch.Size, placement: Placement | None = None) -> torch.Tensor:
    """(B, h, w), none of them flat, laid over the image at ``size`` and each scaled to [0, 1]: (B, 1, H, W)."""
    large = enlarged(maps, size, placement)[:, None]
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    # Enlarging less than the map's own size may flatten it.
    return (large - low) / torch.where(high == low, 1.0, high - low)
