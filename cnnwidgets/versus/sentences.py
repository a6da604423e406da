"""What is said of two networks in words, and the rows of the table of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnwidgets.explorer.sentences import enumerated, in_words, isolated
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.outputs.kinds import has_probabilities
from cnnwidgets.outputs.targets import probabilities

from .likeness import Likeness, first_to_part
from .matching import ClassPairs, Pairing

_TOP = 5  # classes of each network that have a row
_NAMED = 3  # classes that are named in the sentence

Names = tuple[str, str]


class Shares:
    """What both networks give each class: probabilities, or numbers that stand for none."""

    def __init__(self, first: Scene, second: Scene, pairs: ClassPairs) -> None:
        self.scenes, self.pairs = (first, second), pairs
        self.values = [
            probabilities(scene.logits.float()[None], scene.kind)[0].nan_to_num(0.0).tolist() for scene in self.scenes
        ]
        self._first = {second: first for first, second in pairs.second.items()}

    def top(self, side: int) -> list[int]:
        """The classes with the most, of one network, by its own numbers."""
        values = self.values[side]
        return sorted(range(len(values)), key=lambda index: -values[index])

    def difference(self, index: int) -> float:
        """The second network's share of class ``index`` of the first, minus the first one's."""
        return float(self.values[1][self.pairs.second[index]] - self.values[0][index])

    def rows(self, target: int) -> list[dict[str, Any]]:
        """The first classes of both, and the class explained: see :meth:`~.PredictionBoard.show_classes`."""
        of_second = self.top(1)[:_TOP]
        both: list[tuple[int | None, int | None]] = [
            (index, self.pairs.second.get(index))
            for index in dict.fromkeys([*self.top(0)[:_TOP], *(self._first.get(k, -1) for k in of_second), target])
            if index >= 0
        ]
        both += [(None, index) for index in of_second if index not in self._first]
        rows = [
            (pair, [None if at is None else self.values[side][at] for side, at in enumerate(pair)]) for pair in both
        ]
        rows.sort(key=lambda entry: -max(value for value in entry[1] if value is not None))
        longest = max((abs(v) for _, values in rows for v in values if v is not None), default=1.0) or 1.0
        return [self._row(pair, values, longest) for pair, values in rows]

    def _row(self, pair: tuple[int | None, int | None], values: list[float | None], longest: float) -> dict[str, Any]:
        side = 0 if pair[0] is not None else 1
        are_shares = [has_probabilities(scene.kind) for scene in self.scenes]
        texts = ["–" if v is None else in_words(v, self.scenes[k].kind) for k, v in enumerate(values)]
        bars = [
            None if v is None else abs(v) if shares else abs(v) / longest
            for v, shares in zip(values, are_shares, strict=True)
        ]
        comparable = None not in values and are_shares[0] == are_shares[1]
        texts.append(points(values[1] - values[0], shares=are_shares[0]) if comparable else "")  # type: ignore[operator]
        return {"index": pair[0], "label": self.scenes[side].label(pair[side] or 0), "texts": texts, "bars": bars}


def points(difference: float, *, shares: bool) -> str:
    """A difference of two probabilities in percentage points, or of two numbers.

    >>> points(0.242, shares=True), points(-1.5, shares=False), points(-1e-9, shares=True)
    ('+24.2', '−1.50', '0.0')
    """
    text = f"{100 * difference:+.1f}" if shares else f"{difference:+.2f}"
    return text.replace("-", "−") if float(text) else text[1:]


def predictions(names: Names, shares: Shares) -> list[str]:
    """What each says first, and on which classes they differ most."""
    says = []
    for side, (name, scene) in enumerate(zip(names, shares.scenes, strict=True)):
        top = shares.top(side)[0]
        says.append(f"{name} says {isolated(scene.label(top))} ({in_words(shares.values[side][top], scene.kind)})")
    sentences = [f"{says[0]}; {says[1]}."]
    first, second = shares.scenes
    if has_probabilities(first.kind) == has_probabilities(second.kind):
        far = sorted(shares.pairs.second, key=lambda index: -abs(shares.difference(index)))[:_NAMED]
        far = [index for index in far if shares.difference(index)]
        named = [
            f"{isolated(first.label(index))} ({in_words(shares.values[0][index], first.kind)} and "
            f"{in_words(shares.values[1][shares.pairs.second[index]], second.kind)})"
            for index in far
        ]
        sentences += [f"They differ most on {enumerated(named)}."] if named else []
    return sentences


def where_they_part(layers: Sequence[Likeness], same_scores: bool) -> str:
    """Of two checkpoints of one architecture, for one photograph."""
    first = first_to_part(list(layers))
    if first is None:
        if same_scores:
            return "Both give the same numbers for this photograph, in every layer with maps and in their scores."
        return "Every layer with maps gives the same numbers in both; the predictions part after them."
    at, last = list(layers).index(first), layers[-1]
    before = "" if not at else ": the layer before it is the same" if at == 1 else f": the {at} before it are the same"
    where = f"layer {at + 1} of {len(layers)}" if at else "the first layer with maps"
    ends = dict.fromkeys([first, last])
    later = [f"{layer.layer} differs by {100 * layer.apart:.3g} % (CKA {layer.cka:.2f})" for layer in ends]
    return f"The predictions part at {first.layer}, {where}{before}. {'; '.join(later)}."


def pairing_sentence(names: Names, pairing: Pairing) -> str:
    """Which layers are on show, and why these two."""
    first, second = pairing.layers
    if first == second:
        return f"On show: {first} of both."
    if not first or not second:
        return f"On show: {first or second} of {names[0] if first else names[1]}; the other has no layer with maps."
    return f"On show: {first} of {names[0]} and {second} of {names[1]}, {pairing.reason}."
