"""Nothing that the engine computed is left once it has been found to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.incremental import Edited, dispatch
from cnnwidgets.incremental.rules import registry
from cnnwidgets.incremental.values.edits import untouched, windowed
from cnnwidgets.switches.scores import ZeroedScores

from . import nets
from .nets import Call

IMAGE = torch.randn(1, 2, 16, 16, generator=nets.seeded(3))
PATCH = torch.randn(2, 4, 4, generator=nets.seeded(4))
PLACES = [(0, 0), (5, 7), (12, 12), (-2, 3), (14, 15), (3, -3)]
TOPS, LEFTS = zip(*PLACES, strict=True)


def net(middle: nn.Module) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        ).eval()


def truth(model: nn.Module) -> torch.Tensor:
    return nets.one_by_one(model, IMAGE, [[(PATCH, *place)] for place in PLACES])


Wrong = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture
def rule_for_atan(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Wrong, Wrong], None]]:
    """Sets the rule of ``atan``: what it makes of the unedited values, and of windows."""

    def use(of_image: Wrong, of_windows: Wrong) -> None:
        def rule(run: Any, function: Any, x: Any) -> Any:
            base = of_image(x.base.atan())
            if x.is_untouched:
                return untouched(run, base)
            return windowed(run, base, of_windows(x.win), (x.y, x.x), x.box)

        monkeypatch.setitem(registry.OPERATIONS, torch.ops.aten.atan, rule)
        dispatch._traits.cache_clear()

    yield use
    monkeypatch.undo()
    dispatch._traits.cache_clear()


def test_the_base_of_a_failed_engine_goes(rule_for_atan: Callable[[Wrong, Wrong], None]) -> None:
    rule_for_atan(lambda base: base * 1.5, lambda win: win.atan() * 1.5)
    model = net(Call(torch.atan))
    with torch.no_grad():
        expected = model(IMAGE)
    with Edited(model, IMAGE) as edited:
        assert torch.equal(edited.base, expected)
        assert torch.equal(edited.outputs, expected)
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
        assert edited.engine == "full"
        assert (edited.work.done, edited.work.full) == (0, 0)
        assert "of the image differ by" in edited.notes[0]


@pytest.mark.parametrize("target", [None, 1, lambda outputs: outputs[:, 1]])
def test_occlusion_says_what_the_whole_model_says_of_the_image(
    rule_for_atan: Callable[[Wrong, Wrong], None], target: Any
) -> None:
    # The class that the wrong values predict is another one.
    rule_for_atan(lambda base: base + 9, lambda win: win.atan() + 9)
    model = net(Call(torch.atan))
    with torch.no_grad():
        scores = model(IMAGE)[0]
        wrong = model[4](model[3](model[2](model[0](IMAGE).atan() + 9)))[0]
    assert scores.argmax() != wrong.argmax()
    index = int(scores.argmax()) if target is None else 1
    found = explainers.occlusion(model, IMAGE, target, patch=4, stride=4, score="logit")
    assert callable(target) or found.target == (index,)
    torch.testing.assert_close(found.baseline, scores[index][None])
    torch.testing.assert_close(found.scores, scores[index][None])
    rows = []
    for top, left in found.positions:
        edited = IMAGE.clone()
        edited[..., top : top + 4, left : left + 4] = 0
        rows.append(model(edited).detach()[0, index])
    torch.testing.assert_close(found.grid.flatten(), torch.stack(rows))
    torch.testing.assert_close(found.values[0, ::4, ::4], scores[index] - torch.stack(rows).view(4, 4))
    assert (found.engine, found.work.done) == ("full", 0)


def _wrong_where_not_checked(win: torch.Tensor) -> torch.Tensor:
    """Right for the two edits of a batch that are compared with the whole model."""
    share = torch.full((len(win), 1, 1, 1), 1.5)
    if len(win) > 1:
        share[[0, len(win) // 2]] = 1.0
    return win.atan() * share


def test_answers_from_before_the_check_that_failed_come_again(rule_for_atan: Callable[[Wrong, Wrong], None]) -> None:
    rule_for_atan(lambda base: base, _wrong_where_not_checked)
    model = net(Call(torch.atan))
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS, batch=5), truth(model))
        assert edited.engine == "full"
    with Edited(model, IMAGE) as edited:
        slices = [part for part, _ in edited.batches(PATCH, TOPS, LEFTS, batch=5)]
    assert slices[:2] == [slice(0, 5), slice(5, 6)]
    assert {index for part in slices[2:] for index in range(part.start, part.stop)} == set(range(5))
    with Edited(model, IMAGE) as edited:  # of other groups of edits, too
        several = [[(PATCH, *place)] for place in PLACES[:5]] + [[(PATCH[:, :2], *PLACES[5])]]
        torch.testing.assert_close(edited.scores_of(several), nets.one_by_one(model, IMAGE, several))
        assert edited.engine == "full"


@pytest.mark.parametrize(("order", "batch"), [("rows", 8), ("coarse", 5)])  # the last batch has one edit
def test_an_occlusion_map_that_began_with_wrong_answers(
    rule_for_atan: Callable[[Wrong, Wrong], None], order: Any, batch: int
) -> None:
    rule_for_atan(lambda base: base, _wrong_where_not_checked)
    model = net(Call(torch.atan))
    steps: list[int] = []
    options: dict[str, Any] = {"patch": 4, "stride": 3, "score": "logit", "batch": batch, "order": order}
    found = explainers.occlusion(model, IMAGE, 0, **options, progress=lambda step: steps.append(step.done))
    expected = explainers.occlusion(model, IMAGE, 0, patch=4, stride=3, score="logit", engine="full")
    assert found.engine == "full"
    torch.testing.assert_close(found.grid, expected.grid)
    torch.testing.assert_close(found.values, expected.values)
    assert steps[-1] == 25
    assert steps == sorted(steps)


class Later(nn.Module):
    """Fails on edits from the second batch on, if the engine runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if type(x) is not torch.Tensor:
            self.runs += 1
            if self.runs > 2:
                raise RuntimeError("no more")
        return x


def test_a_late_error_of_ablation_cam() -> None:
    torch.manual_seed(0)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)]
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), Later(), *head)
    found = explainers.ablation_cam(model, IMAGE, 1, layer="1", batch=2)
    plain = nn.Sequential(*[layer for layer in model if not isinstance(layer, Later)])
    maps = plain[:2](IMAGE).detach()
    score = plain(IMAGE)[0, 1].detach()
    weights = []
    for channel in range(6):
        edited = maps.clone()
        edited[:, channel] = 0
        weights.append((score - plain[2:](edited)[0, 1].detach()) / score.abs())
    torch.testing.assert_close(found.values[0], (torch.stack(weights)[:, None, None] * maps[0]).sum(0))
    assert any("all of it was run" in note for note in found.notes)


def test_switches_keep_nothing_of_an_engine_that_was_wrong(rule_for_atan: Callable[[Wrong, Wrong], None]) -> None:
    from cnnwidgets.tracing.layouts.layouts import Layouts

    rule_for_atan(lambda base: base * 1.5, lambda win: win.atan() * 1.5)
    model = net(Call(torch.atan))
    switched = ZeroedScores(model, IMAGE, Layouts(1))
    for off in ([1], [2], [0, 3]):
        maps = model[0](IMAGE).detach()
        maps[:, off] = 0
        torch.testing.assert_close(switched.scores({"0": off}, {"0": 4}), model[1:](maps).detach())
    assert not switched.reuses
    assert not list(switched._engine.memo.values())
