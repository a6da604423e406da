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
        (
            (0.3, 0.2, 0.1, 0.08),
            "depends on what the network has learned",
            "ok",
            "passed one check, the other was not made: similarity 0.08 after",
        ),
        ((0.9, 0.9, 0.95, 0.94), "it would look much the same for an untrained network", "warn", "0.95 half-way, 0.94"),
        ((1.0, 0.95, 0.9, 0.1), "it shows what those layers see", "warn", "0.90 half-way, 0.10"),
        ((0.9, 0.7, 0.6, 0.2), "changes only in part", "warn", "not passed: similarity 0.60 half-way, 0.20"),
        ((0.3, 0.3, 0.3, 0.6), "changes only in part", "warn", "not passed: similarity 0.60 after"),
        ((0.3, 0.2, 0.1, -0.85), "turned upside down", "warn", "not passed: similarity −0.85"),
        ((0.2, 0.1, 0.1, float("nan")), "0.10 with random weights down to layer2", "ok", "0.10"),
    ],
)
def test_similarities(similarity: tuple[float, ...], said: str, level: str, badge: str) -> None:
    reading = read(randomisation(*similarity))
    assert said in reading.sentence
    assert reading.level == level
    assert badge in reading.badge
    assert reading.sentence.startswith(
        "Not passed: " if level == "warn" else "Passed one check, the other was not made: "
    )
    assert reading.passed is (False if level == "warn" else None), "a pass takes both checks"
    assert reading.sentence.count(". ") == 0, "one sentence"
    assert "correct" not in reading.sentence


DOWN, UP = [0.9, 0.2, 0.1, 0.0], [0.0, 0.6, 0.8, 0.9]
HALF = [0.9, 0.5, 0.4, 0.0]


def test_curves_beside_the_similarity() -> None:
    good = randomisation(0.1, 0.1)
    better = read(good, curves(DOWN, UP, [HALF, HALF]))
    assert (better.passed, better.level) == (True, "ok")
    assert better.badge == "passed: similarity 0.10 after randomisation, ahead of 2 of 2 random orders"
    # Trapezoids by hand, in thirds: (0.45 + 0.2 + 0.1) / 3 under DOWN, (0.6 + 0.8 + 0.45) / 3 under UP.
    assert better.notes == ("insertion area minus deletion area: 0.37; random orders: 0.00, 0.00",)
    assert "and the score depends on the places it marks" in sentence(good, curves(DOWN, UP, [HALF, HALF]))
    worse = read(good, curves(UP[::-1], DOWN[::-1], [HALF, HALF]))
    assert (worse.passed, worse.level) == (False, "warn")
    assert worse.sentence.startswith("Not passed: ")
    assert ", but the places it marks do not matter more" in worse.sentence
    assert worse.badge == "not passed: ahead of 0 of 2 random orders"
    bad = read(randomisation(0.9, 0.9), curves(DOWN, UP, [HALF]))
    assert (bad.passed, bad.level) == (False, "warn")
    assert bad.badge == "not passed: similarity 0.90 after randomisation"
    assert "do not read it as evidence, but the score depends" in bad.sentence


def test_one_random_order_as_good_and_the_map_does_not_pass() -> None:
    own = curves(DOWN, UP, [HALF, HALF, HALF])
    own.random_deletion[0, 0] = torch.tensor([0.9, 0.0, 0.0, 0.0])
    own.random_insertion[0, 0] = torch.tensor([0.0, 0.9, 0.9, 0.9])
    assert own.random_deletion_area[0].tolist() == pytest.approx([0.15, 0.45, 0.45])
    lost = read(randomisation(0.1, 0.1), own)
    assert (lost.passed, lost.level) == (False, "warn")
    assert lost.badge == "not passed: ahead of 2 of 3 random orders"
    assert read(None, own).passed is False
    own.random_insertion[0, 0] = torch.tensor([0.0, 0.6, 0.8, 0.9])
    own.random_deletion[0, 0] = own.deletion[0]
    assert read(randomisation(0.1, 0.1), own).passed is False, "as good is not better"


@pytest.mark.parametrize(("ahead", "passed"), [((True, True, False), True), ((True, False), False)])
def test_of_several_images_more_than_half_have_to_be_ahead(ahead: tuple[bool, ...], passed: bool) -> None:
    x = torch.linspace(0, 1, 4)
    own = [
        torch.tensor([DOWN if it else UP[::-1] for it in ahead]),
        torch.tensor([UP if it else DOWN[::-1] for it in ahead]),
    ]
    grey = torch.tensor(HALF).expand(len(ahead), 2, 4)
    several = Curves(x, *own, grey, grey.clone(), own[0][:, 0], (0,) * len(ahead), "probability")
    reading = read(randomisation(0.1, 0.1), several)
    assert reading.passed is passed
    assert f"ahead of every random order for {sum(ahead)} of {len(ahead)} images" in reading.badge


def test_a_score_that_hardly_moves_tells_nothing() -> None:
    still = [0.5, 0.501, 0.5, 0.5]
    assert "tells nothing" in sentence(None, curves(still, still, [HALF]))
    assert "not a finite number" in sentence(None, curves([0.5, float("nan"), 0, 0], UP, [HALF]))
    assert "nothing to compare" in sentence(None, curves(DOWN, UP, []))
    undecided = read(randomisation(0.1, 0.1), curves(still, still, [HALF]))
    assert (undecided.passed, undecided.level) == (None, "info")
    assert undecided.sentence.startswith("No verdict: ")
    unknown = curves(DOWN, UP, [HALF, [0.9, float("nan"), 0.0, 0.0]])
    assert "not a finite number" in sentence(None, unknown), "a random order that is not known is not beaten"


def test_what_is_not_complete_is_not_judged() -> None:
    part = read(randomisation(0.9, total=8))
    assert part.sentence == "No verdict: the check was stopped after 1 of 8 stages and tells little yet."
    assert (part.passed, part.level) == (None, "info")
    assert part.badge == "no verdict: similarity 0.90 after 1 of 8 stages"
    assert "curves" not in sentence(randomisation(0.1), curves(DOWN, UP, [HALF], complete=False))
    assert read().level == "info"


def test_a_small_map_may_be_alike_by_chance() -> None:
    assert read(randomisation(0.3, side=7)).notes == ("the map has 49 places only, so that some similarity is chance",)
    assert read(randomisation(0.3, side=20)).notes == ()


def test_notes_come_along() -> None:
    assert read(randomisation(0.1, notes=("first", "second"))).notes == ("first", "second")
