"""How to read what the checks measured, in one cautious sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from cnnwidgets.core.errors import InputError

from .cascade import Randomisation
from .curves import Curves

CHANGED, UNCHANGED = 0.5, 0.7
"""Similarities up to the first count as another map, above the second as much the same."""
_SMALL = 100  # places: of fewer, a similarity of 0.2 and more is often chance
_MOVES = 0.02  # of the largest score on the curves: what moves less says nothing

Level = Literal["ok", "warn", "info"]
_LEVELS: dict[int, Level] = {1: "ok", 0: "info", -1: "warn"}


@dataclass(frozen=True)
class Reading:
    """What to make of a check.

    Attributes:
        sentence: one sentence for the reader.
        badge: a few words to stand beside the map.
        level: ``"warn"`` when the map should not be trusted, ``"ok"`` when nothing speaks against it, else ``"info"``.
        notes: what else to know, each a sentence without a full stop.
    """

    sentence: str
    badge: str
    level: Level
    notes: tuple[str, ...]


CheckResult = Randomisation | Curves


def sentence(randomisation: CheckResult | None = None, curves: CheckResult | None = None) -> str:
    """One sentence on how to read the results, one or both, in any order; see :func:`read`."""
    return read(randomisation, curves).sentence


def read(randomisation: CheckResult | None = None, curves: CheckResult | None = None) -> Reading:
    """What the results say, and what not.

    A similarity up to 0.5, both when the upper half of the network is random and when all of it is, counts as another
    map, one above 0.7 as the same map. The curves count when the map's order beats every random one in the difference
    of the two areas, for most images. Passing both checks does not make a map right; failing the first does mean that
    it shows little of what was learned.

    Args:
        randomisation: what :func:`~cnnwidgets.checks.randomised` returned, or None.
        curves: what :func:`~cnnwidgets.checks.insertion_deletion` returned, or None. The two may come in any order.

    Raises:
        InputError: it is something else, or twice the same.

    Example:
        >>> read().sentence
        'Nothing has been measured yet.'
    """
    return _reading_of(*_sorted_out(randomisation, curves))


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


def _reading_of(randomisation: Randomisation | None, curves: Curves | None) -> Reading:
    first = None if randomisation is None else _of_randomisation(randomisation)
    second = None if curves is None or not curves.complete else _of_curves(curves)
    notes = tuple(dict.fromkeys([*(randomisation.notes if randomisation else ()), *(curves.notes if curves else ())]))
    if first is None or randomisation is None:
        if second is None:
            return Reading("Nothing has been measured yet.", "not checked", "info", notes)
        return Reading(f"{second[0][0].upper()}{second[0][1:]}.", "curves only", _LEVELS[second[1]], notes)
    clause, verdict = first
    if second is not None:
        clause = f"{clause}, {'but' if second[1] * verdict < 0 else 'and'} {second[0]}"
        verdict = min(verdict, second[1]) if verdict >= 0 else verdict
    small = randomisation.original.values.flatten(1).shape[1]
    if small < _SMALL and abs(randomisation.similarity) < UNCHANGED:
        notes = (*notes, f"the map has {small} places only, so that some similarity is chance")
    return Reading(f"{clause}.", _badge(randomisation), _LEVELS[verdict], notes)


def _badge(check: Randomisation) -> str:
    last, early = check.similarity, _halfway(check)
    if last != last:
        return "checked: no similarity could be measured"
    if not check.complete:
        return f"checked in part: similarity {_round(last)} so far"
    half = f"{_round(early)} half-way, " if early > max(last, CHANGED) else ""
    return f"checked: similarity {half}{_round(last)} after randomisation"


def _halfway(check: Randomisation) -> float:
    return float(check.halfway.similarity.nanmean()) if check.halfway is not None else float("-inf")


def _of_randomisation(check: Randomisation) -> tuple[str, int]:
    """A clause, and 1 for a map that changes, -1 for one that does not, 0 where one cannot tell."""
    value, early = check.similarity, _halfway(check)
    if not check.complete:
        return f"The check was stopped after {len(check.stages)} of {check.total} stages and tells little yet", 0
    if any("score does not change" in note for note in check.notes):
        return "The network's score does not change when its weights are randomised, so this check says nothing", 0
    if value != value or check.last is None:
        return "The maps with random weights cannot be compared with this one, so the check says nothing", 0
    where = (
        "after the last stage" if check.last is check.stages[-1] else f"with random weights down to {check.last.layer}"
    )
    number = f"similarity {_round(value)} {where}"
    if check.unmoved:
        return "The map is exactly the same with random weights: do not read it as evidence", -1
    if value > UNCHANGED:
        return (
            f"The map hardly changes when the weights are randomised ({number}): it would look much the same for an "
            "untrained network, so do not read it as evidence"
        ), -1
    if early > UNCHANGED and check.halfway is not None:
        return (
            f"The map hardly changes until the first layers are randomised too (similarity {_round(early)} with random "
            f"weights down to {check.halfway.layer}): it shows what those layers see, not how the network decides"
        ), -1
    if value < -UNCHANGED:
        return f"The map is turned upside down when the weights are randomised ({number}): read its sign with care", 0
    if max(value, early) > CHANGED:
        half = f"{_round(early)} half-way, " if early > value else ""
        return (
            f"The map changes only in part when the weights are randomised (similarity {half}{_round(value)} {where}): "
            "some of it would be there in an untrained network too"
        ), 0
    return f"The map changes when the weights are randomised ({number}): it depends on what the network has learned", 1


def _of_curves(curves: Curves) -> tuple[str, int]:
    """A clause, and 1 for a map whose places matter, -1 for one no better than chance, 0 where one cannot tell."""
    all_scores = torch.cat([curves.deletion, curves.insertion], 1)
    size = all_scores.abs().amax(1)
    if not bool(all_scores.isfinite().all()):
        return "the score is not a finite number for some of the edited images, so that hiding places says nothing", 0
    moves = all_scores.amax(1) - all_scores.amin(1)
    if not bool((moves > _MOVES * size).any()) or curves.random_deletion.shape[1] == 0:
        return "hiding what it marks tells nothing, because the score hardly moves or there is nothing to compare", 0
    gain = curves.insertion_area - curves.deletion_area
    at_random = curves.random_insertion_area - curves.random_deletion_area
    wins = (gain[:, None] > at_random).float().mean(1)
    best = bool(wins.ge(1).float().mean() > 0.5)
    if best:
        return "the score depends on the places it marks more than on others", 1
    if float(wins.mean()) < 0.5:
        return "the places it marks matter no more to the score than others", -1
    return "the places it marks matter little more to the score than others", 0


def _round(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")
