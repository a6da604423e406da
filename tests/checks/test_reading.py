"""What is said of given numbers."""

from __future__ import annotations

import pytest
import torch

from cnnwidgets.checks import Curves, Randomisation, Stage, read, sentence
from cnnwidgets.explainers.attribution import Attribution


def randomisation(
    *similarity: float, total: int | None = None, side: int = 20, notes: tuple[str, ...] = ()
) -> Randomisation:
    stages = []
    for place, value in enumerate(similarity):
        measure = torch.tensor([value], dtype=torch.float64)
        low = measure - 0.05
        values = torch.full((1, side, side), float(place + 1))
        stages.append(Stage(f"layer{place}", (f"layer{place}",), values, torch.ones(1), measure, low, low))
    original = Attribution(torch.zeros(1, side, side), "saliency", (0,), None, torch.zeros(1))
    return Randomisation(original, tuple(stages), total or len(stages), notes)


def curves(deletion: list[float], insertion: list[float], others: list[list[float]], complete: bool = True) -> Curves:
    x = torch.linspace(0, 1, len(deletion))
    grey = torch.tensor([others]) if others else torch.empty(1, 0, len(deletion))
    own = (torch.tensor([deletion]), torch.tensor([insertion]))
    return Curves(x, *own, grey, grey.clone(), torch.tensor([deletion[0]]), (0,), "probability", complete=complete)


@pytest.mark.parametrize(
    ("similarity", "said", "level", "badge"),
    [
        ((0.3, 0.2, 0.1, 0.08), "depends on what the network has learned", "ok", "checked: similarity 0.08 after"),
        ((0.9, 0.9, 0.95, 0.94), "it would look much the same for an untrained network", "warn", "0.95 half-way, 0.94"),
        ((1.0, 0.95, 0.9, 0.1), "it shows what those layers see", "warn", "0.90 half-way, 0.10"),
        ((0.9, 0.7, 0.6, 0.2), "changes only in part", "info", "0.60 half-way, 0.20"),
        ((0.3, 0.3, 0.3, 0.6), "changes only in part", "info", "similarity 0.60 after"),
        ((0.3, 0.2, 0.1, -0.85), "turned upside down", "info", "−0.85"),
        ((0.2, 0.1, 0.1, float("nan")), "0.10 with random weights down to layer2", "ok", "0.10"),
    ],
)
def test_similarities(similarity: tuple[float, ...], said: str, level: str, badge: str) -> None:
    reading = read(randomisation(*similarity))
    assert said in reading.sentence
    assert reading.level == level
    assert badge in reading.badge
    assert reading.sentence.count(". ") == 0, "one sentence"
    assert "correct" not in reading.sentence


DOWN, UP = [0.9, 0.2, 0.1, 0.0], [0.0, 0.6, 0.8, 0.9]
HALF = [0.9, 0.5, 0.4, 0.0]


def test_curves_beside_the_similarity() -> None:
    good = randomisation(0.1, 0.1)
    assert read(good, curves(DOWN, UP, [HALF, HALF])).level == "ok"
    assert "and the score depends on the places it marks" in sentence(good, curves(DOWN, UP, [HALF, HALF]))
    worse = read(good, curves(UP[::-1], DOWN[::-1], [HALF, HALF]))
    assert worse.level == "warn"
    assert ", but the places it marks matter no more" in worse.sentence
    bad = read(randomisation(0.9, 0.9), curves(DOWN, UP, [HALF]))
    assert bad.level == "warn"
    assert "do not read it as evidence, but the score depends" in bad.sentence


def test_one_random_order_as_good_makes_the_curves_doubtful() -> None:
    own = curves(DOWN, UP, [HALF, HALF, HALF])
    own.random_deletion[0, 0] = torch.tensor([0.9, 0.0, 0.0, 0.0])
    own.random_insertion[0, 0] = torch.tensor([0.0, 0.9, 0.9, 0.9])
    assert own.random_deletion_area[0].tolist() == pytest.approx([0.15, 0.45, 0.45])
    assert "matter little more" in sentence(None, own)
    assert read(None, own).level == "info"


def test_a_score_that_hardly_moves_tells_nothing() -> None:
    still = [0.5, 0.501, 0.5, 0.5]
    assert "tells nothing" in sentence(None, curves(still, still, [HALF]))
    assert "not a finite number" in sentence(None, curves([0.5, float("nan"), 0, 0], UP, [HALF]))
    assert "nothing to compare" in sentence(None, curves(DOWN, UP, []))


def test_what_is_not_complete_is_not_judged() -> None:
    part = read(randomisation(0.9, total=8))
    assert part.sentence == "The check was stopped after 1 of 8 stages and tells little yet."
    assert (part.level, part.badge) == ("info", "checked in part: similarity 0.90 so far")
    assert "curves" not in sentence(randomisation(0.1), curves(DOWN, UP, [HALF], complete=False))
    assert read().level == "info"


def test_a_small_map_may_be_alike_by_chance() -> None:
    assert read(randomisation(0.3, side=7)).notes == ("the map has 49 places only, so that some similarity is chance",)
    assert read(randomisation(0.3, side=20)).notes == ()


def test_notes_come_along() -> None:
    assert read(randomisation(0.1, notes=("first", "second"))).notes == ("first", "second")
