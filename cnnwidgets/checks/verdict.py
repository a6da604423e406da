"""The verdict of the checks, passed or not passed, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from cnnwidgets.core.errors import InputError

from .cascade import Randomisation, Stage
from .curves import Curves

CHANGED, UNCHANGED = 0.5, 0.7
"""Similarities up to the first count as another map, above the second as much the same."""
_SMALL = 100  # places: of fewer, a similarity of 0.2 and more is often chance
_MOVES = 0.02  # of the largest score on the curves: what moves less says nothing

Level = Literal["ok", "warn", "info"]
_LEVELS: dict[int, Level] = {1: "ok", 0: "info", -1: "warn"}
_WORDS = {1: "Passed", 0: "No verdict", -1: "Not passed"}


@dataclass(frozen=True)
class Reading:
    """What to make of a check.

    Attributes:
        sentence: one sentence for the reader, which begins with the verdict.
        badge: the verdict and its numbers in a few words, to stand beside the map.
        level: ``"warn"`` when the map did not pass, ``"ok"`` when nothing speaks against it, else ``"info"``.
        notes: what else to know, each a sentence without a full stop.
        passed: by the rule of :func:`read`; None where it cannot be decided, or one of the two checks is missing.
    """

    sentence: str
    badge: str
    level: Level
    notes: tuple[str, ...]
    passed: bool | None = None


@dataclass(frozen=True)
class _CheckOutcome:
    """Of one check: 1 passed, -1 not passed, 0 cannot tell; a clause on why, and its numbers in a few words."""

    verdict: int
    clause: str
    numbers: str


CheckResult = Randomisation | Curves


def sentence(randomisation: CheckResult | None = None, curves: CheckResult | None = None) -> str:
    """One sentence on how to read the results, one or both, in any order; see :func:`read`."""
    return read(randomisation, curves).sentence


def read(randomisation: CheckResult | None = None, curves: CheckResult | None = None) -> Reading:
    """What the results say, and what not.

    A map passes when both hold:

    - its similarity to the map of random weights is 0.5 or less (and not below -0.7, which is the same map turned
      upside down), both when the upper half of the network is random and when all of it is;
    - its insertion area minus its deletion area is larger than that of every random order; of several images, for more
      than half of them.

    It does not pass when one of them fails, and there is no verdict when one cannot be measured. Passing does not make
    a map right; failing the first does mean that it shows little of what was learned.

    Args:
        randomisation: what :func:`~cnnwidgets.checks.randomised` returned, or None.
        curves: what :func:`~cnnwidgets.checks.insertion_deletion` returned, or None. The two may come in any order.

    Raises:
        InputError: it is something else, or twice the same.

    Example:
        >>> read().sentence
        'Nothing has been measured yet.'
    """
    randomisation, curves = _sorted_out(randomisation, curves)
    outcomes = []
    notes = [*(randomisation.notes if randomisation else ()), *(curves.notes if curves else ())]
    if randomisation is not None:
        outcomes.append(_of_randomisation(randomisation))
        small = randomisation.original.values.flatten(1).shape[1]
        if small < _SMALL and abs(randomisation.similarity) < UNCHANGED:
            notes.append(f"the map has {small} places only, so that some similarity is chance")
    if curves is not None and curves.complete:
        outcomes.append(_of_curves(curves))
        notes += _gain_notes(curves)
    if not outcomes:
        return Reading("Nothing has been measured yet.", "not checked", "info", tuple(dict.fromkeys(notes)))
    verdicts = [outcome.verdict for outcome in outcomes]
    verdict = -1 if -1 in verdicts else min(verdicts)
    half = verdict == 1 and len(outcomes) == 1
    word = "Passed one check, the other was not made" if half else _WORDS[verdict]
    numbers = ", ".join(outcome.numbers for outcome in outcomes if outcome.verdict == verdict)
    joint = ", and " if len(set(verdicts)) == 1 else ", but "
    return Reading(
        f"{word}: {joint.join(outcome.clause for outcome in outcomes)}.",
        f"{word.lower()}: {numbers}",
        _LEVELS[verdict],
        tuple(dict.fromkeys(notes)),
        None if half or verdict == 0 else verdict > 0,
    )


def _sorted_out(*results: CheckResult | None) -> tuple[Randomisation | None, Curves | None]:
    """Which is which."""
    by_kind: dict[type, Any] = {Randomisation: None, Curves: None}
    for result in results:
        kind = next((kind for kind in by_kind if isinstance(result, kind)), None)
        if result is not None and (kind is None or by_kind[kind] is not None):
            again = "a second" if kind else "a"
            raise InputError(
                f"Got {again} {type(result).__name__}; expected what checks.randomised() returns, what "
                "checks.insertion_deletion() returns, or one of each."
            )
        if kind is not None:
            by_kind[kind] = result
    return by_kind[Randomisation], by_kind[Curves]


def _of_randomisation(check: Randomisation) -> _CheckOutcome:
    value = check.similarity
    early = float(check.halfway.similarity.nanmean()) if check.halfway is not None else float("-inf")
    if not check.complete:
        stages = f"{len(check.stages)} of {check.total} stages"
        numbers = f"similarity {_round(value)} after {stages}" if value == value else f"stopped after {stages}"
        return _CheckOutcome(0, f"the check was stopped after {stages} and tells little yet", numbers)
    if any("score does not change" in note for note in check.notes):
        clause = "the network's score does not change when its weights are randomised, so this check says nothing"
        return _CheckOutcome(0, clause, "the score does not change")
    if value != value or check.last is None:
        clause = "the maps with random weights cannot be compared with this one, so the check says nothing"
        return _CheckOutcome(0, clause, "no similarity could be measured")
    half = f"{_round(early)} half-way, " if early > max(value, CHANGED) else ""
    verdict, clause = _judged(check, check.last, early)
    return _CheckOutcome(verdict, clause, f"similarity {half}{_round(value)} after randomisation")


def _judged(check: Randomisation, last: Stage, early: float) -> tuple[int, str]:
    """The verdict on a check that was measured up to the stage ``last``, and a clause on it."""
    value = check.similarity
    where = "after the last stage" if last is check.stages[-1] else f"with random weights down to {last.layer}"
    number = f"similarity {_round(value)} {where}"
    if check.unmoved:
        return -1, "the map is exactly the same with random weights: do not read it as evidence"
    if value > UNCHANGED:
        return -1, (
            f"the map hardly changes when the weights are randomised ({number}): it would look much the same for an "
            "untrained network, so do not read it as evidence"
        )
    if early > UNCHANGED and check.halfway is not None:
        return -1, (
            f"the map hardly changes until the first layers are randomised too (similarity {_round(early)} with random "
            f"weights down to {check.halfway.layer}): it shows what those layers see, not how the network decides"
        )
    if value < -UNCHANGED:
        return -1, (
            f"the map is turned upside down when the weights are randomised ({number}): the places it marks are much "
            "the same for an untrained network"
        )
    if max(value, early) > CHANGED:
        half = f"{_round(early)} half-way, " if early > value else ""
        return -1, (
            f"the map changes only in part when the weights are randomised (similarity {half}{_round(value)} {where}): "
            "some of it would be there in an untrained network too"
        )
    return 1, f"the map changes when the weights are randomised ({number}): it depends on what the network has learned"


def _of_curves(curves: Curves) -> _CheckOutcome:
    own = torch.cat([curves.deletion, curves.insertion], 1)
    others = torch.cat([curves.random_deletion, curves.random_insertion], 2)
    if not bool(own.isfinite().all() and others.isfinite().all()):
        clause = "the score is not a finite number for some of the edited images, so that hiding places says nothing"
        return _CheckOutcome(0, clause, "the score is not finite")
    moves = own.amax(1) - own.amin(1)
    if not bool((moves > _MOVES * own.abs().amax(1)).any()) or others.shape[1] == 0:
        clause = "hiding what it marks tells nothing, because the score hardly moves or there is nothing to compare"
        return _CheckOutcome(0, clause, "the score hardly moves")
    own_gains, gains = _gains(curves)
    ahead = own_gains[:, None] > gains
    every = ahead.all(1)
    numbers = f"ahead of {int(ahead.sum())} of {gains.shape[1]} random orders"
    if len(every) > 1:
        numbers = f"ahead of every random order for {int(every.sum())} of {len(every)} images"
    if float(every.float().mean()) > 0.5:
        return _CheckOutcome(1, f"the score depends on the places it marks more than on others ({numbers})", numbers)
    return _CheckOutcome(-1, f"the places it marks do not matter more to the score than others ({numbers})", numbers)


def _gains(curves: Curves) -> tuple[torch.Tensor, torch.Tensor]:
    """Insertion area minus deletion area: (N,) of the maps, (N, repeats) of the random orders."""
    own = curves.insertion_area - curves.deletion_area
    return own, curves.random_insertion_area - curves.random_deletion_area


def _gain_notes(curves: Curves) -> list[str]:
    """The numbers that decide, of a single image."""
    own, others = _gains(curves)
    if len(own) != 1 or others.shape[1] == 0:
        return []
    at_random = ", ".join(_round(float(gain)) for gain in others[0].sort(descending=True).values)
    return [f"insertion area minus deletion area: {_round(float(own[0]))}; random orders: {at_random}"]


def _round(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")
