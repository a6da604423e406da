"""Does the map depend on what the network has learned? Cascading randomisation of its weights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.network import Network
from cnnwidgets.core.progress import Meter, ProgressCallback, Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.targets import Target
from cnnwidgets.state.copying import private_copy

from ._similarity import merged, over_largest, rank_correlation, structural_similarity
from ._stages import WeightedModule, grouped, redraw, units
from .cascade import Randomisation, Stage

MOST_STAGES = 8
_PARTS = 100  # units of progress a map


def randomised(
    model: nn.Module,
    images: torch.Tensor,
    attribution: Attribution | str,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    seed: int = 0,
    stages: int | None = None,
    progress: ProgressCallback | bool | None = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
    **options: Any,
) -> Randomisation:
    """The map again and again while the network forgets, layer by layer from its output, what it has learned.

    The cascading model parameter randomisation test (Adebayo et al. 2018, "Sanity checks for saliency maps",
    section 3.1). A map that stays the same would look so for an untrained network, too. All is done on a copy: the
    model itself is not changed for a moment. The class explained stays that of the original map.

    Weights are drawn from a normal distribution, with mean 0 and each filter's own root mean square, vectors (biases,
    scales of normalisations) with their own mean and standard deviation; no global random number generator is used.
    Running statistics of batch normalisation are kept: they fit random weights badly, so a deep network may end in
    numbers that are constant or not finite, which is said in ``notes``; such a map is no evidence either way. A
    similarity that stays high is not always the method's fault: a random network keeps much of an image's structure
    (Binder et al. 2023, "Shortcomings of top-down randomization-based sanity checks").

    Args:
        model: any module that returns scores and that ``copy.deepcopy`` can copy.
        images: (N, C, H, W), preprocessed.
        attribution: a map, whose method, target and layer are checked; or the name of an explainer. The original map is
            computed again, with ``options``, which must be those that the map was made with.
        target: as for explainers; None: that of the map, or the predicted class.
        layer: for explainers of a layer; None: that of the map.
        seed: of the random weights.
        stages: at most so many; None: at most 8. Neighbouring layers of larger networks are randomised together.
        progress: told after each map, with the Randomisation so far as ``partial``; may raise ``Cancelled``.
        outputs, output: what the model's outputs are, and which of them holds the scores; as for explainers.
        **options: passed to the explainer.

    Raises:
        CnnWidgetsError: the model cannot be copied, has no parameters, or there is no such explainer; what the
            explainer raises.
        InputError: ``stages`` is no int of at least 1, or the map is of another number of images.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
        >>> done = randomised(net, torch.rand(1, 1, 8, 8), "saliency", 0)
        >>> [stage.layer for stage in done.stages]
        ['4', '0']
    """
    if stages is not None:
        checked_count(stages, "stages", alternative=", or None")
    readout = readout_of(model, outputs, output)
    images = checked(model, images)
    earlier = attribution if isinstance(attribution, Attribution) else None
    info = explainers.info(earlier.method if earlier is not None else str(attribution))
    if earlier is not None:
        if len(earlier.values) != len(images):
            raise InputError(
                f"There are {len(earlier.values)} maps for {len(images)} images; pass the images explained."
            )
        target, layer = earlier.target if target is None else target, earlier.layer if layer is None else layer
    if info.needs_layer:
        options["layer"] = layer if layer is None else Network.of(model).find(layer)[0]
    duplicate = private_copy(model)
    explain = functools.partial(info.function, duplicate, images)
    groups = grouped(units(duplicate, images, but=model), stages or MOST_STAGES)
    if not groups:
        raise CnnWidgetsError(f"This {type(duplicate).__name__} has no floating-point parameters to randomise.")
    # One for all stages: what the outputs are is decided on the trained network, not on numbers at random.
    readout = readout.alike(Network.of(duplicate).base)
    with Meter(progress, _PARTS * (len(groups) + 1)) as meter, reading(readout):
        show = _Share(meter, info.tells_progress)
        original = show.during(explain, target, options, None)
        randomisation = Randomisation(original, (), len(groups), tuple(_first_notes(earlier, original)))
        meter.advance(show.rest(), randomisation)
        generator = torch.Generator().manual_seed(seed)
        for group in groups:
            for parameter in (parameter for unit in group for parameter in unit.parameters):
                redraw(parameter, generator)
            redrawn = show.during(explain, original.target, options, randomisation)
            randomisation = _with(randomisation, _compared(original, redrawn, group))
            meter.advance(show.rest(), randomisation)
    return randomisation


class _Share:
    """Turns an explainer's own progress into a part of the whole."""

    def __init__(self, meter: Meter, tells: bool) -> None:
        self._meter, self._tells, self._reported = meter, tells, 0

    def during(
        self, explain: Callable[..., Attribution], target: Any, options: dict[str, Any], partial: Any
    ) -> Attribution:
        self._reported = 0

        def tell(step: Step) -> None:
            now = min(_PARTS * step.done // max(step.total, 1), _PARTS - 1)
            if now > self._reported:
                new, self._reported = now - self._reported, now
                self._meter.advance(new, partial)

        return explain(target, **options, **({"progress": tell} if self._tells else {}))

    def rest(self) -> int:
        return _PARTS - self._reported


def _compared(original: Attribution, redrawn: Attribution, group: list[WeightedModule]) -> Stage:
    if redrawn.values.shape != original.values.shape:
        raise CnnWidgetsError(
            f"{original.method} gave a map of shape {tuple(original.values.shape)}, and {tuple(redrawn.values.shape)} "
            "with random weights: they cannot be compared. Pass layer=, so that the same layer is explained each time."
        )
    rows = []
    pairs = (zip(*merged(attribution.values), strict=True) for attribution in (original, redrawn))
    for (magnitude, signed), (now, now_signed) in zip(*pairs, strict=True):
        structure = structural_similarity(over_largest(magnitude), over_largest(now))
        rows.append((rank_correlation(magnitude, now), rank_correlation(signed, now_signed), structure))
    first, second, third = (torch.stack(list(column)) for column in zip(*rows, strict=True))
    names = tuple(unit.name for unit in group)
    return Stage(names[-1], names, redrawn.values, redrawn.scores, first, second, third, _problem(redrawn))


def _problem(attribution: Attribution) -> str:
    if not bool(attribution.scores.isfinite().all()):
        return "the score is not a finite number"
    maps = attribution.values.flatten(1)
    finite = maps.isfinite()
    if not bool(finite.any(1).all()):
        return "no value of the map is a finite number"
    low = maps.masked_fill(~finite, torch.inf).amin(1)
    high = maps.masked_fill(~finite, -torch.inf).amax(1)
    return "the map is the same everywhere" if bool((low == high).any()) else ""


def _with(randomisation: Randomisation, stage: Stage) -> Randomisation:
    original, stages = randomisation.original, (*randomisation.stages, stage)
    notes, extended = [*randomisation.notes], replace(randomisation, stages=stages)
    before = randomisation.stages[-1].problem if randomisation.stages else ""
    if stage.problem and stage.problem != before and not _problem(original):
        notes.append(
            f"with random weights down to {stage.layer!r} {stage.problem}: the network's signal has died there, which "
            "says nothing about the map"
        )
    if extended.complete and all(torch.equal(step.scores, original.scores) for step in stages):
        notes.append(
            "the score does not change when the weights are randomised: the model does not compute with the "
            "weights of its copy (a forward that is bound to the original?), so the check says nothing"
        )
    elif extended.complete and extended.unmoved:
        notes.append(
            "the map does not change at all: it does not depend on the weights, or the method looks at another "
            "model than the one it is given"
        )
    return replace(extended, notes=tuple(notes))


def _first_notes(earlier: Attribution | None, original: Attribution) -> Iterator[str]:
    problem = _problem(original)
    if problem:
        yield f"{problem}, before any weight was randomised: there is nothing to compare with"
    if earlier is None:
        return
    size = float(earlier.values.abs().nan_to_num(0.0, 0.0, 0.0).max())
    same = earlier.values.shape == original.values.shape
    if not same or not torch.allclose(earlier.values, original.values, rtol=0, atol=1e-3 * size, equal_nan=True):
        yield "the map was computed again for this check, and differs from the one given: with other options?"
