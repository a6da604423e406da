"""Groups of channels: a layer's maps factored into k concepts, and what each is worth for a score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count, is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.explainers.engine.one_layer import LayerPass, one_layer
from cnnwidgets.explainers.engine.values import COMPLEX
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.targets import Scorer, Target, class_scores, resolve
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import Placement

from .factorisation import factorised

Read = Callable[[Any, int, int], torch.Tensor]
"""``(outputs, image, B) -> (B, ...)``: the scores in what the model returned for B edits of an image."""


@dataclass(frozen=True, eq=False, repr=False)
class Concepts:
    """What :func:`factor` found: the maps of a layer are nearly ``sum_j maps[:, j] * channels[j]``.

    Attributes:
        channels: (k, K) float32, how much of each channel is in a group; of length 1, not negative unless ``signed``.
        maps: (N, k, h, w) float32, how much of each group is where; never negative. The largest group comes first.
        explained: the part of the layer that the groups make up, 1 - ||A - WH||² / ||A||², from 0 to 1.
        layer: dotted name.
        signed: whether the layer's maps have both signs, so that channels of a group may be negative (semi-NMF).
        placement: where the maps lie in the images; None if that is not known.
        notes: what the reader must know.
    """

    channels: torch.Tensor
    maps: torch.Tensor
    explained: float
    layer: str
    signed: bool
    placement: Placement | None = None
    notes: tuple[str, ...] = ()
    _source: Source | None = field(default=None, repr=False)

    def remaining(self, groups: Sequence[int]) -> torch.Tensor:
        """(N, K, h, w): the layer's maps without these groups; what was not negative stays so.

        Raises:
            InputError: there is no such group.
        """
        hidden_groups = [self._group(group) for group in groups]
        part = torch.einsum("njhw,jk->nkhw", self.maps[:, hidden_groups], self.channels[hidden_groups])
        rest = self._origin().maps.float().cpu() - part
        return rest if self.signed else rest.clamp(min=0)

    def weights(self, target: Target = None, *, score: str = "logit") -> torch.Tensor:
        """(k,) float32: how much the score falls when a group is hidden, each by itself; the mean over the images.

        Without gradients: the network runs on from the layer with the maps of :meth:`remaining`.

        Args:
            target: as for every explainer; None: the class with the highest score, per image.
            score: ``"logit"``, the model's own output, or ``"probability"``.

        Raises:
            TargetError: the target does not fit.
        """
        source = self._origin()
        with source.entered():

            def fall() -> torch.Tensor:
                raw = run(source.model, source.images.clone())
                scores, classes = resolve(target, raw, score=score, batch=len(source.images))
                scorer = Scorer(raw, classes, score, len(source.images))
                hidden = self._scores([[group] for group in range(len(self.channels))], scorer)
                return (scores[:, None].to(hidden) - hidden).mean(0).float().cpu()

            return again(fall)

    def scores_without(self, groups: Sequence[int]) -> torch.Tensor:
        """(N, classes) float32: the scores of all classes with these groups hidden together.

        Raises:
            InputError: there is no such group.
        """
        hidden_groups = [self._group(group) for group in groups]
        with self._origin().entered():
            tables = again(
                lambda: self._scores([hidden_groups], lambda outputs, _, batch: class_scores(outputs, batch=batch))
            )
            return tables[:, 0].float().cpu()

    def _scores(self, hidings: list[list[int]], read: Read) -> torch.Tensor:
        """(N, hidings, ...) scores with the groups of each hiding away."""
        source = self._origin()
        rests = [self.remaining(groups) for groups in hidings]
        rows = []
        for index in range(len(source.images)):

            def maps(numbers: Sequence[int], index: int = index) -> torch.Tensor:
                return torch.stack([rests[number][index] for number in numbers]).to(source.maps)

            rows.append(source.edits(index, read).scores(range(len(hidings)), maps))
        return torch.stack(rows)

    def _group(self, group: Any) -> int:
        if not is_whole(group) or not 0 <= group < len(self.channels):
            raise InputError(f"There is no group {group!r}; expected 0 to {len(self.channels) - 1}.")
        return group

    def _origin(self) -> Source:
        if self._source is None:
            raise InputError("These concepts do not know their network; get them from concepts.factor.")
        return self._source

    def __repr__(self) -> str:
        notes = f", notes={self.notes!r}" if self.notes else ""
        return f"Concepts({self.layer!r}, {len(self.channels)} groups, {self.explained:.1%} explained{notes})"


def _table(outputs: Any, _: int, batch: int) -> torch.Tensor:
    return class_scores(outputs, batch=batch)


@dataclass(frozen=True, eq=False)
class Source:
    """What the concepts were made of: a network, images, and what one layer returns for them."""

    model: nn.Module
    images: torch.Tensor
    maps: torch.Tensor
    layer_pass: LayerPass
    reading_options: tuple[Kind | None, OutputChoice]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The model in evaluation mode, without gradients, its outputs read in one way."""
        readout = readout_of(self.model, *self.reading_options)
        with (
            Deferral(),
            torch.inference_mode(False),
            torch.no_grad(),
            reading(readout),
            walked_once(),
            preserved(self.model, evaluate=True),
        ):
            yield

    def edits(self, index: int, read: Read) -> LayerEdits:
        """The network from the layer on, for one image."""
        return LayerEdits(
            self.model,
            self.images[index : index + 1],
            self.layer_pass.name,
            self.layer_pass.index,
            read=lambda outputs, batch: read(outputs, index, batch),
            functions=self.layer_pass.functions,
            form=self.layer_pass.form,
            scale=1e-3,
        )


def factor(
    model: nn.Module,
    layer: str | nn.Module | None,
    images: torch.Tensor,
    k: int = 6,
    *,
    seed: int = 0,
    tokens: Tokens = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
) -> Concepts:
    """Factor the maps of a layer into k groups of channels that come together.

    Non-negative matrix factorisation of the places' activations (Olah et al. 2018, "The Building Blocks of
    Interpretability"; Fel et al. 2023, "CRAFT"), by hierarchical alternating least squares from an NNDSVD; where maps
    have both signs, semi-NMF, in which only the maps of the groups are not negative. The same images give the same
    groups, whatever the state of the random number generators.

    Args:
        model: run in evaluation mode and left as it was.
        layer: dotted name or module that returns maps; None: the last one.
        images: (N, C, H, W), preprocessed; a hundred cost seconds.
        k: how many groups, at most the number of places and of channels.
        seed: of the faint numbers that stand in place of the zeros at the start.
        tokens, outputs, output: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Raises:
        LayerNotFound, NotSpatial: no such layer, or it returns no maps.
        InputError: the maps are zero everywhere, not finite or complex, or k is too large.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.ReLU())
        >>> _ = net[0].weight.data.copy_(torch.tensor([3.0, 4.0, 0.0]).view(3, 1, 1, 1))
        >>> concepts = factor(net, "1", torch.tensor([[[[1.0, 2.0]]]]), k=1)
        >>> concepts.channels, concepts.maps, round(concepts.explained, 6)
        (tensor([[0.6000, 0.8000, 0.0000]]), tensor([[[[ 5., 10.]]]]), 1.0)
    """
    checked_count(k, "k")
    if not is_whole(seed):
        raise InputError(f"seed is {seed!r}; expected an int.")
    readout = readout_of(model, outputs, output)
    with Deferral(), torch.inference_mode(False), torch.no_grad(), reading(readout), walked_once():
        ready = checked(model, images)

        def look() -> LayerPass:
            with preserved(model, evaluate=True):
                return one_layer(model, ready, _no_score(len(ready)), layer, -1, "logit", tokens, gradient=False)

        layer_pass = again(look)
        source = Source(model, ready, layer_pass.maps, layer_pass, (outputs, output))
        return _factored(source, k, seed)


def _no_score(count: int) -> Callable[[Any], torch.Tensor]:
    """A target for when no score is asked for."""
    return lambda _: torch.zeros(count)


def _factored(source: Source, k: int, seed: int) -> Concepts:
    maps, name = source.maps, source.layer_pass.name
    images, channels, height, width = maps.shape
    if COMPLEX in source.layer_pass.notes:
        raise InputError(f"Layer {name!r} returns complex maps, which have no such groups. Choose another layer.")
    if not bool(maps.isfinite().all()):
        raise InputError(f"The maps of layer {name!r} are not finite numbers everywhere; they cannot be factored.")
    if not bool(maps.any()):
        raise InputError(f"The maps of layer {name!r} are zero everywhere: there is nothing to factor.")
    places = images * height * width
    if k > min(places, channels):
        raise InputError(
            f"k is {k}; expected at most {min(places, channels)}: layer {name!r} has {channels:,} channels at "
            f"{places:,} places in {images} {'image' if images == 1 else 'images'}."
        )
    signed = bool((maps < 0).any())
    matrix = maps.movedim(1, -1).reshape(places, channels).cpu().numpy()
    w, h = factorised(matrix, k, seed, signed=signed)
    rest, whole = float(((matrix - w @ h) ** 2).sum(dtype=np.float64)), float((matrix**2).sum(dtype=np.float64))
    empty = int((~w.any(0)).sum())
    notes = [note for note in source.layer_pass.whereabouts if "called" in note]
    if signed:
        notes.append("the maps have both signs: channels may lower a group (semi-NMF)")
    if empty:
        notes.append(f"{empty} of {k} groups are empty: the maps are made of fewer")
    return Concepts(
        channels=torch.from_numpy(h.astype(np.float32)),
        maps=torch.from_numpy(w.T.reshape(k, images, height, width).swapaxes(0, 1).astype(np.float32)),
        explained=min(1.0, max(0.0, 1 - rest / whole)),
        layer=name,
        signed=signed,
        placement=source.layer_pass.placement,
        notes=tuple(notes),
        _source=source,
    )
