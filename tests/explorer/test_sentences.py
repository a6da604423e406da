from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.core.progress import Step
from cnnwidgets.explorer import sentences
from tests.explorer import nets


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(0, 10, 0.0, None, None), "Occlusion 0 %"),
        (Step(62, 100, 4.0, 2.6, None), "Occlusion 62 % · 3 s left"),
        (Step(1, 100, 4.0, 600.0, None), "Occlusion 1 % · 10 min left"),
        (Step(0, 0, 0.0, None, None), "Occlusion 0 %"),
    ],
)
def test_work_left(step: Step, text: str) -> None:
    assert sentences.work_left("occlusion", step) == text


def test_the_size_of_a_network_is_counted() -> None:
    # (3*3*3+1)*6 + (6*3*3+1)*8 + (8+1)*5 parameters; 24*24*6*27 + 12*12*8*54 + 40 multiply-adds
    architecture = cw.trace(nets.plain(), torch.rand(1, 3, 24, 24))
    assert architecture.total_params == 168 + 440 + 45
    assert architecture.total_macs == 93_312 + 62_208 + 40
    assert sentences.model_summary(architecture) == "653 parameters · 155.56 kMACs"

    tiny = cw.trace(nn.Conv2d(1, 1, 1, bias=False), torch.rand(1, 1, 3, 3))
    assert sentences.model_summary(tiny) == "1 parameters · 9 MACs"


def test_the_size_of_a_large_network_is_in_the_units_of_papers() -> None:
    lite0 = SimpleNamespace(total_params=4_652_008, total_macs=385_193_472)
    assert sentences.model_summary(lite0) == "4.65 M parameters · 0.39 GMACs"  # type: ignore[arg-type]


def test_close_scores_are_named_for_the_two_that_are_close() -> None:
    logits = torch.tensor([2.0, 1.9, -3.0]).log_softmax(0)
    text = sentences.closeness(logits, 0, str)
    assert text.startswith("Scores are close: 0 52.3 %, 1 47.3 %.")  # e^2 / (e^2 + e^1.9 + e^-3) and so on
    assert sentences.closeness(logits, 1, str) == text
    assert sentences.closeness(logits, 2, str) == ""
    assert sentences.closeness(torch.tensor([2.0, 1.0]), 0, str) == ""
    assert sentences.closeness(torch.tensor([2.0, torch.nan]), 0, str) == ""
    assert sentences.closeness(torch.tensor([2.0]), 0, str) == ""


def test_titles_come_from_timm_or_the_class() -> None:
    import timm

    assert sentences.model_title(timm.create_model("mobilenetv3_small_050")) == "mobilenetv3_small_050"
    assert sentences.model_title(nn.Sequential()) == "Sequential"


def test_probabilities_that_are_not_close_are_not_called_close() -> None:
    assert sentences.closeness(torch.tensor([0.5, 0.3, 0.1, 0.1]), 0, str) == ""


def test_a_class_far_from_the_predicted_one_is_told() -> None:
    logits = torch.tensor([0.0, 10.0, 7.0])
    names = ["cat", "cup", "dog"]
    assert sentences.unlikely(logits, 1, names.__getitem__) == ""
    assert sentences.unlikely(logits, 2, names.__getitem__) == ""  # 5 % of the first
    shares = logits.softmax(0)
    said = sentences.unlikely(logits, 0, names.__getitem__)
    assert said == (f"The network says cup ({100 * shares[1]:.1f} %); this map explains cat, which has <0.1 %.")


def test_a_name_from_right_to_left_stays_in_its_place() -> None:
    # Unicode's own marks (UAX 9): what is between them takes no part in the order of the sentence around.
    assert sentences.target_text(3, ["", "", "", "قطة"].__getitem__) == "\u2068قطة\u2069 (3)"
    assert sentences.target_text(3, ["", "", "", "חתול 2"].__getitem__) == "\u2068חתול 2\u2069 (3)"
    assert sentences.target_text(3, ["", "", "", "chat 猫"].__getitem__) == "chat 猫 (3)"
    logits = torch.tensor([2.0, 1.99, -9.0])
    assert sentences.closeness(logits, 0, lambda index: "אב"[index]).count("\u2068") == 2
    assert "\u2068ב\u2069, which has" in sentences.unlikely(torch.tensor([9.0, -9.0]), 1, lambda index: "אב"[index])


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("layer called twice, showing the last call", "Layer called twice, showing the last call."),
        ("conv is frozen", "conv is frozen."),
        ("conv2d is slow", "conv2d is slow."),
        ("2 of 17 ReLUs could not be guided", "2 of 17 ReLUs could not be guided."),
        ("Is it so?", "Is it so?"),
    ],
)
def test_notes_have_one_style(note: str, sentence: str) -> None:
    assert as_sentence(note, {"conv"}) == sentence
