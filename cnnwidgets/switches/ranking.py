"""How much the score falls without each channel of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.nested import layer_tensor
from cnnwidgets.core.network import Network, walked_once
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.engine.inputs import checked, input_notes, which_images
from cnnwidgets.explainers.engine.memory import Chunks, estimated_batch
from cnnwidgets.explainers.engine.notes import change_notes, model_notes, output_notes
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, current, reading, readout_of
from cnnwidgets.outputs.targets import Chosen, Scorer, Target, class_scores, resolve
from cnnwidgets.running.batches_of_one import ONE_BY_ONE
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.token_layout import ChannelForm

from .channel_axis import axis_by_kind, layout_of_channels, layouts_for
from .without import without

# As for Ablation-CAM: larger batches are no faster on a CPU.
_NUMBERS_CPU, _NUMBERS_GPU, _MOST = 2**24, 2**27, 256


@dataclass(frozen=True, eq=False, repr=False)
class ChannelRanking:
    """What :func:`rank_channels` measured.

    Attributes:
        drops: (N, K) float32 on the CPU, in the unit of ``score``: how much the score falls without each channel;
            negative where it rises. NaN where it is not known yet, in a partial result.
        scores: (N,) float32, of the images as they are.
        target: the class of each image, N ints; or the callable.
        layer: the layer's dotted name.
        score: ``"logit"`` or ``"probability"``; ``"score"`` for a callable's.
        notes: what the reader must know; empty when all went well.
        method: ``"rank_channels"``.
    """

    drops: torch.Tensor
    scores: torch.Tensor
    target: Chosen
    layer: str
    score: str
    notes: tuple[str, ...] = ()
    method: str = "rank_channels"

    @property
    def order(self) -> torch.Tensor:
        """(N, K) int64: the channels of each image, from the one without which the score falls most."""
        return self.drops.nan_to_num(-torch.inf, torch.inf, -torch.inf).argsort(dim=1, descending=True, stable=True)

    def __repr__(self) -> str:
        target = self.target if isinstance(self.target, tuple) else getattr(self.target, "__name__", "callable")
        notes = f", notes={self.notes!r}" if self.notes else ""
        return f"ChannelRanking({self.layer!r}, target={target}, drops={tuple(self.drops.shape)}{notes})"


def rank_channels(
    model: nn.Module,
    images: torch.Tensor,
    layer: str | nn.Module,
    target: Target = None,
    *,
    score: str = "logit",
    batch: int | None = None,
    progress: ProgressCallback | bool | None = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
) -> ChannelRanking:
    """The fall of the score without each channel of a layer, one at a time: what :func:`without` takes away.

    What precedes the layer is computed once. A few channels are checked against the whole model, which takes over,
    with a note, where they differ; so it does for a layer that is called several times.

    Args:
        model: run in evaluation mode and left as it was.
        images: (N, C, H, W), preprocessed.
        layer: dotted name or module; it need not return maps.
        target: as for every explainer; None: the class with the highest score, per image.
        score: ``"logit"``, the model's own output, or ``"probability"``.
        batch: channels taken away at a time; None: by the size of the layer's output. Halved when memory runs out.
        progress: a callback, given a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            ranking so far. It may raise ``Cancelled``. True: a tqdm bar.
        outputs: what the model's outputs are; None: found out.
        output: which of several outputs holds the scores; None: found out.

    Raises:
        LayerNotFound, InputError, TargetError: the arguments do not fit.
        CnnWidgetsError: the model failed, or never ran the layer.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.ones_(net[0].weight), net[2].weight.data.copy_(torch.tensor([[3.0, 1.0]]))
        >>> rank_channels(net, torch.tensor([[[[2.0]]]]), "0").drops
        tensor([[6., 2.]])
    """
    readout = readout_of(model, outputs, output)
    with Deferral(), torch.inference_mode(False), torch.no_grad(), reading(readout), walked_once():
        ready = checked(model, images)
        name, module = Network.of(model).find(layer)
        before = [*input_notes(ready), *model_notes(model)]

        def rank() -> ChannelRanking:
            with preserved(model, evaluate=True) as preservation, reading(current().inner()) as own:
                ranking = _Ranking(model, ready, name, module, target, score, batch)
                result = ranking.run(progress)
            notes = [*before, *result.notes, *_output_notes(own, score), *change_notes(preservation.changed)]
            return ranking.result(tuple(dict.fromkeys(notes)))

        return again(rank)


def _output_notes(readout: Readout, score: str) -> Iterator[str]:
    return (
        note.replace("the map ", "the ranking ").replace("explained", "ranked") for note in output_notes(readout, score)
    )


class _Ranking:
    """Takes the channels of one layer away, one after another."""

    def __init__(
        self,
        model: nn.Module,
        images: torch.Tensor,
        name: str,
        module: nn.Module,
        target: Target,
        score: str,
        batch: int | None,
    ) -> None:
        self._model, self._images, self._name, self._module = model, images, name, module
        calls: list[torch.Tensor | None] = []

        def leave(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
            tensor = layer_tensor(output)
            calls.append(None if tensor is None else tensor.detach().clone())

        with attached([module], leave=leave):
            raw = run(model, images.clone())
        self._scores, self._target = resolve(target, raw, score=score, batch=len(images))
        self._score = "score" if callable(self._target) else score
        self._score_of = Scorer(raw, self._target, score, len(images))
        tensor = calls[-1] if calls else None
        if tensor is None:
            why = "returns no tensor" if calls else "did not run in this forward pass"
            raise CnnWidgetsError(f"Layer {name!r} {why}: there is nothing to rank. Choose another layer.")
        self._calls, self._output = len(calls), tensor
        self._form, self._axis = self._axes(tensor)
        self._drops = torch.full((len(images), tensor.shape[self._axis]), torch.nan)
        # The score is rounded like the largest of the numbers beside it.
        beside = score == "logit" and not callable(self._target)
        table = class_scores(raw, batch=len(images)) if beside else self._scores[:, None]
        self._sizes = table.abs().nan_to_num(0.0, 0.0, 0.0).amax(1).tolist()
        self._chunks = Chunks(self._estimate(), batch)
        self._one_by_one = self._in_full = False

    def _axes(self, tensor: torch.Tensor) -> tuple[ChannelForm | None, int]:
        """How the layer's output holds channels; None where it is as (N, C, H, W)."""
        axis, images_at = axis_by_kind(self._module, tensor.ndim), 0
        if axis is None:
            layouts = layouts_for(self._model, self._images)
            axis, images_at = layout_of_channels(self._name, self._calls - 1, tuple(tensor.shape), layouts)
        return (None if (axis, images_at, tensor.ndim) == (1, 0, 4) else ChannelForm(axis, images_at)), axis

    def _estimate(self) -> int:
        numbers = _NUMBERS_CPU if self._output.device.type == "cpu" else _NUMBERS_GPU
        return max(1, min(_MOST, numbers * len(self._images) // max(1, self._output.numel())))

    def run(self, progress: ProgressCallback | bool | None) -> ChannelRanking:
        """Rank; ``progress`` is told after each batch."""
        images, count = self._drops.shape
        with Meter(progress, images * count) as meter:
            for step in self._steps():
                meter.advance(step, self.result() if callable(progress) else None)
        return self.result(tuple(self._notes()))

    def result(self, notes: tuple[str, ...] = ()) -> ChannelRanking:
        """What is known by now."""
        scores = self._scores.detach().float().cpu()
        return ChannelRanking(self._drops.clone(), scores, self._target, self._name, self._score, notes)

    def _steps(self) -> Iterator[int]:
        images_at = 0 if self._form is None else self._form.images_at
        if self._calls > 1 or self._output.shape[images_at] != len(self._images):
            yield from self._one_after_another()
            return
        for index in range(len(self._images)):
            yield from self._of_image(index)

    def _of_image(self, index: int) -> Iterator[int]:
        maps = (self._output if self._form is None else self._form.maps(self._output))[index]
        # Switching off a channel that is zero changes nothing; after a ReLU there are many.
        any_value = maps.flatten(1).any(1)
        self._drops[index, ~any_value.cpu()] = 0.0
        alive = any_value.nonzero().flatten().tolist()
        if len(alive) < len(maps):
            yield len(maps) - len(alive)
        edits = self._edits(index, len(alive))

        def measure() -> Iterator[list[int]]:
            for now, scores in self._chunks.each(
                alive, lambda now: edits.scores(now, lambda numbers: _each_zeroed(maps, numbers))
            ):
                self._drops[index, now] = (self._scores[index] - scores.to(self._scores)).float().cpu()
                yield now

        reused = False
        for now in measure():
            reused |= edits.reused
            yield len(now)
        if reused and not edits.reused:  # what the engine said before it failed does not count
            for _ in measure():
                yield 0
        self._in_full |= not edits.reused
        self._one_by_one |= edits.takes_one

    def _edits(self, index: int, count: int) -> LayerEdits:
        image = self._images[index : index + 1]
        return LayerEdits(
            self._model,
            image,
            self._name,
            0,
            read=lambda outputs, batch: self._score_of(outputs, index, batch),
            form=self._form,
            scale=self._sizes[index],
            in_full=estimated_batch(image[0], max(1, count)),
        )

    def _one_after_another(self) -> Iterator[int]:
        """By the whole model, all images at a time."""
        self._in_full = True
        for channel in range(self._drops.shape[1]):
            with without(self._model, {self._name: [channel]}):
                raw = run(self._model, self._images.clone())
            for index in range(len(self._images)):
                score = self._score_of(raw, index, len(self._images))[index]
                self._drops[index, channel] = float(self._scores[index] - score.to(self._scores))
            yield len(self._images)

    def _notes(self) -> Iterator[str]:
        if self._calls > 1:
            yield f"the layer is called {self._calls} times: each channel was taken away in every call"
        if self._one_by_one:
            yield ONE_BY_ONE
        if self._in_full:
            yield "what precedes the layer could not be reused: the whole model was run for each channel"
        silent = ~(self._drops != 0).any(1)
        if bool(silent.any()):
            yield f"taking away any one channel changes nothing{which_images(silent)}"


def _each_zeroed(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    """(B, K, h, w): copies of (K, h, w), each with one channel set to zero."""
    edits = maps.expand(len(channels), *maps.shape).clone(memory_format=torch.channels_last)
    edits[torch.arange(len(channels)), list(channels)] = 0
    return edits
