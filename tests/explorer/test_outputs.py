"""The Explorer reads what a model returns as its explainers do."""

# ruff: noqa: ARG005 (the functions that make outputs take all there is)
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError, TargetError

IMAGE = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(5))


class Net(nn.Module):
    def __init__(self, wrap: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.convolution, self.linear, self.wrap = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), wrap
        with torch.no_grad():
            self.linear.bias.add_(torch.tensor([2.0, -1.0, 0.25]) - self.linear(self.features(IMAGE))[0])

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).relu().mean((2, 3))

    def forward(self, x: torch.Tensor) -> Any:
        h = self.features(x)
        return self.wrap(h, self.linear(h))


@pytest.fixture
def explore() -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def open_it(wrap: Callable[[torch.Tensor, torch.Tensor], Any], **options: Any) -> Any:
        explorer = cw.explore(Net(wrap), IMAGE, **options)
        opened.append(explorer)
        explorer.wait(60)
        return explorer

    yield open_it
    for explorer in opened:
        explorer.close()


def bars(explorer: Any) -> list[str]:
    return [row.text for row in explorer.scores.shown]


def notes(explorer: Any) -> list[str]:
    return [note["text"] for note in explorer.overlay.notes]


def occluder(explorer: Any) -> dict[str, Any]:
    explorer.occluder.patches = [[4, 4, 12, 12]]
    explorer.wait(60)
    content: dict[str, Any] = explorer.occluder._pushed["scores"][0]
    return content


# The sigmoids of 2, -1, 0.25 are 0.8808, 0.2689, 0.5622; the shares of 7.389, 0.368, 1.284: 0.817, 0.041, 0.142.
CASES = {
    "logits": (lambda h, z: z, {}, ["81.7 %", "14.2 %", "4.1 %"], ""),
    "sigmoid": (lambda h, z: z.sigmoid(), {}, ["88.1 %", "56.2 %", "26.9 %"], "Independent probabilities"),
    "log_softmax": (lambda h, z: functional.log_softmax(z, 1), {}, ["81.7 %", "14.2 %", "4.1 %"], ""),
    "told": (lambda h, z: z, {"outputs": "independent_logits"}, ["88.1 %", "56.2 %", "26.9 %"], "Independent"),
    "numbers": (lambda h, z: z, {"outputs": "number"}, ["2.00", "0.25", "−1.00"], "Numbers, not"),
    "one number": (lambda h, z: z[:, 0].squeeze(), {}, ["2.00"], "The network's own number"),
    "one number, four axes": (lambda h, z: z[:, :1, None, None], {}, ["2.00"], "The network's own number"),
    "one sigmoid": (lambda h, z: z[:, 0].sigmoid().squeeze(), {}, ["88.1 %"], ""),
    "one logit, told": (lambda h, z: z[:, :1], {"outputs": "logit"}, ["88.1 %"], ""),
    "features and cls": (lambda h, z: {"features": h, "cls": z}, {}, ["81.7 %", "14.2 %", "4.1 %"], ""),
    "the second": (lambda h, z: (h, z.sigmoid()), {"output": 1}, ["88.1 %", "56.2 %", "26.9 %"], "Independent"),
    "a function": (lambda h, z: (h, z), {"output": lambda raw: raw[1][:, 1:]}, ["77.7 %", "22.3 %"], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bars_here_and_beside_a_patch(explore: Any, name: str) -> None:
    wrap, options, texts, remark = CASES[name]
    explorer = explore(wrap, **options)
    assert bars(explorer) == texts
    assert explorer.scores.remark.startswith(remark)
    assert bool(explorer.scores.remark) is bool(remark)
    shown = occluder(explorer)
    assert shown["unit"] == ("probability" if "%" in texts[0] else "score")
    before = sorted((row[2] for row in shown["rows"]), reverse=True)
    as_text = [f"{100 * value:.1f} %" if "%" in texts[0] else f"{value:.2f}".replace("-", "−") for value in before]
    assert as_text == texts


@pytest.mark.parametrize("name", CASES)
def test_occlusion_in_the_explorer_explains_what_the_bars_show(explore: Any, name: str) -> None:
    wrap, options, texts, _ = CASES[name]
    explorer = explore(wrap, **options)
    explorer.method = "occlusion"
    explorer.wait(60)
    assert explorer.status == "ready"
    (found,) = explorer._session._attributions.values()
    value = found.baseline.item()
    assert (f"{100 * value:.1f} %" if "%" in texts[0] else f"{value:.2f}") == texts[0]


def test_switched_maps_are_told_in_the_numbers_of_the_outputs(explore: Any) -> None:
    for wrap, words in ((lambda h, z: z.sigmoid(), "class 0 88.1 % → "), (lambda h, z: z[:, :1], "output 0 2.00 → ")):
        explorer = explore(wrap)
        explorer.feature_maps.off = [0]
        explorer.wait(60)
        net = Net(wrap)
        net.convolution.register_forward_hook(lambda _, __, out: out.mul_(torch.tensor([0.0, 1, 1, 1])[:, None, None]))
        value = float(net(IMAGE)[0, 0])
        after = f"{100 * value:.1f} %" if "%" in words else f"{value:.2f}".replace("-", "−")
        assert explorer.feature_maps.effect == f"1 map switched off: {words}{after}"


def test_the_choice_of_several_outputs_is_told_and_can_be_changed(explore: Any) -> None:
    words = "output 1 (1, 3) is taken, not 0 (1, 4); output=0 chooses another"
    explorer = explore(lambda h, z: (h, z))
    assert any(words in note for note in notes(explorer))
    explorer.method = "saliency"
    explorer.wait(60)
    assert any(words in note for note in notes(explorer))
    assert not any("several" in note for note in notes(explore(lambda h, z: (h, z), output=0)))


def test_the_choice_is_told_beside_a_function_too_for_the_bars_are_of_it(explore: Any) -> None:
    explorer = explore(lambda h, z: (h, z), target=lambda raw: raw[0][:, 2])
    assert any("output 1 (1, 3) is taken, not 0 (1, 4)" in note for note in notes(explorer))
    assert bars(explorer) == ["81.7 %", "14.2 %", "4.1 %"]


def test_classes_that_do_not_compete_are_not_called_close(explore: Any) -> None:
    close = lambda h, z: torch.cat([z[:, :1], z[:, :1] - 0.01, z[:, 1:2] - 9], 1)  # noqa: E731
    assert any(note.startswith("Scores are close") for note in notes(explore(close)))
    explorer = explore(lambda h, z: close(h, z).sigmoid())
    assert not any(note.startswith("Scores are close") for note in notes(explorer))
    explorer.target = 2
    explorer.wait(60)
    assert any(note.startswith("The network does not see class 2 (<0.1 %)") for note in notes(explorer))


def test_a_sweep_is_in_the_unit_of_the_outputs(explore: Any) -> None:
    for wrap, unit in ((lambda h, z: z[:, :1].sigmoid(), "probability"), (lambda h, z: z[:, :1], "score")):
        explorer = explore(wrap)
        explorer.occluder._receive(
            explorer.occluder, {"op": "sweep", "size": 12, "stride": 12, "fill": "black", "color": "#000000"}, []
        )
        explorer.wait(60)
        content = explorer.occluder._pushed["sweep"][0]
        assert content["unit"] == unit
        assert content["baseline"] == pytest.approx([float(Net(wrap)(IMAGE)[0, 0])])


def test_the_check_reads_the_same(explore: Any) -> None:
    explorer = explore(lambda h, z: (h, z.sigmoid()), output=1)
    explorer.map_check.on_check()
    explorer.wait(120)
    assert "probability" in explorer.map_check.charts["deletion"].title


def test_labels_tell_which_output(explore: Any) -> None:
    explorer = explore(lambda h, z: (h, z), labels=["a", "b", "c", "d"])
    assert explorer._scene.logits.shape == (4,)
    assert not any("several" in note for note in notes(explorer))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": 5}, "output is 5"),
        ({"output": "cls"}, "output is 'cls'"),
        ({"output": 1.5}, "index or the name"),
        ({"outputs": "sigmoids"}, "Did you mean 'sigmoid'"),
        ({"outputs": "logit", "output": 1}, "one output an image"),
    ],
)
def test_what_does_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(CnnWidgetsError, match=words) as caught:
        cw.explore(Net(lambda h, z: (h, z)), IMAGE, **options)
    assert isinstance(caught.value, TargetError)
