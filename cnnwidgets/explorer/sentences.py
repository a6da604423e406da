"""What the Explorer says in words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.incremental.scaling import Factors
from cnnwidgets.outputs.kinds import COMPETING, Kind, has_probabilities
from cnnwidgets.outputs.targets import Chosen, probabilities
from cnnwidgets.tracing.architecture import Architecture
from cnnwidgets.tracing.summary import in_units
from cnnwidgets.widgets.class_scores.ranking import score_in_words

_ORDER = ["grad_cam", "saliency", "occlusion"]
# Two classes are called close when the second has at least this share of the first one's probability.
_CLOSE = 0.8
# And one is called unlikely when it has less than this share of the first one's.
_UNLIKELY = 0.01


def method_choices() -> list[list[str]]:
    """[name, label, question, family] of every explainer, those most asked for first."""
    names = sorted(explainers.names(), key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    infos = [explainers.info(name) for name in names]
    return [[info.name, info.label, info.question, info.family] for info in infos]


def model_title(model: nn.Module) -> str:
    """The network's name: timm's, or that of its class."""
    config = getattr(model, "pretrained_cfg", None)
    architecture = config.get("architecture") if isinstance(config, dict) else None
    return str(architecture or type(model).__name__)


def model_summary(architecture: Architecture) -> str:
    """Its size: "4.65 M parameters · 0.39 GMACs"."""
    macs = architecture.total_macs
    amount = f"{macs / 1e9:.2f} G" if macs >= 1e8 else in_units(macs)
    return f"{in_units(architecture.total_params).rstrip()} parameters · {amount}MACs"


def work_left(method: str, step: Step) -> str:
    """ "Occlusion 62 % · 3 s left"."""
    return with_time_left(f"{label_of(method)} {100 * step.done / max(step.total, 1):.0f} %", step)


def with_time_left(text: str, step: Step) -> str:
    """ "Looking for places · 3 s left"; the text alone where that is not known yet."""
    return text if step.remaining is None else f"{text} · {time_left(step.remaining)}"


def time_left(seconds: float) -> str:
    """ "3 s left"."""
    seconds = round(seconds)
    return f"{seconds} s left" if seconds < 100 else f"{round(seconds / 60)} min left"


def isolated(name: str) -> str:
    """A name as it stands in a sentence: one from right to left would else move what is around it.

    >>> isolated("tabby")
    'tabby'
    """
    if any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def target_text(target: Chosen | int, label: Callable[[int], str]) -> str:
    """What a map explains: "tiger cat (282)", or the name of a function.

    >>> target_text((3,), lambda index: "cat")
    'cat (3)'
    """
    if callable(target):
        return function_name(target)
    index = int(target if isinstance(target, int) else target[0])
    return f"{isolated(label(index))} ({index})"


def map_title(method: str, layer: str | None, target: str) -> str:
    """What stands over a map, and in its saved picture.

    >>> map_title("grad_cam", "layer4", "tabby (281)"), map_title("saliency", None, "tabby (281)")
    ('Grad-CAM · layer4 → tabby (281)', 'Saliency → tabby (281)')
    """
    return " → ".join(filter(None, (" · ".join(filter(None, (label_of(method), layer))), target)))


def function_name(target: Callable[..., Any]) -> str:
    """What a function that is explained is called."""
    return str(getattr(target, "__name__", "your target"))


def switches_in_words(switches: Mapping[str, Factors]) -> str:
    """What is switched off, or scaled, in the network.

    >>> switches_in_words({"layer3": {4: 0.0, 17: 0.0}, "layer2": 0.0, "layer1": 0.5})
    'without 2 channels of layer3 and layer2, with layer1 × 0.5'
    """
    off: list[str] = []
    scaled: list[str] = []
    for layer, factors in switches.items():
        if isinstance(factors, float):
            (scaled if factors else off).append(f"{layer} × {factors:g}" if factors else layer)
            continue
        zero = [channel for channel, factor in factors.items() if factor == 0]
        off.append(f"channel {zero[0]} of {layer}" if len(zero) == 1 else f"{len(zero)} channels of {layer}")
        others = next((factor for factor in factors.values() if factor), 1.0)
        scaled += [] if others == 1 else [f"the rest of {layer} × {others:g}"]
    parts = [f"{word} {enumerated(names)}" for word, names in (("without", off), ("with", scaled)) if names]
    return ", ".join(parts)


def enumerated(names: list[str]) -> str:
    """Names in a sentence.

    >>> enumerated(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def closeness(logits: torch.Tensor, target: int, label: Any, kind: Kind | None = None) -> str:
    """A warning when the target and another class are nearly as probable; else empty.

    Classes that are independent of one another may all be probable.
    """
    if kind not in (None, *COMPETING) or not torch.isfinite(logits).all() or len(logits) < 2:
        return ""
    shares = probabilities(logits[None], kind)[0]
    (first, second), (best, next_best) = (values.tolist() for values in shares.topk(2))
    if second < _CLOSE * first or target not in (best, next_best):
        return ""
    names = [isolated(label(int(index))) for index in (best, next_best)]
    return (
        f"Scores are close: {names[0]} {100 * first:.1f} %, {names[1]} {100 * second:.1f} %. "
        "Compare the two maps before you conclude."
    )


def unlikely(logits: torch.Tensor, target: int, label: Any, kind: Kind | None = None) -> str:
    """A reminder that the class explained is far from what the network says; else empty."""
    if kind == "number" or not torch.isfinite(logits).all() or len(logits) < 2:
        return ""
    shares = probabilities(logits[None], kind)[0]
    share, highest = float(shares[target]), float(shares.max())
    own_words, highest_words = (score_in_words(value, as_share=True) for value in (share, highest))
    if kind not in (None, *COMPETING):
        if share >= _UNLIKELY:
            return ""
        return f"The network does not see {isolated(label(target))} ({own_words}); this map explains it all the same."
    if share >= _UNLIKELY * highest:
        return ""
    says, explained = isolated(label(int(shares.argmax()))), isolated(label(target))
    return f"The network says {says} ({highest_words}); this map explains {explained}, which has {own_words}."


def explained_class(scene: Scene, chosen: int | None) -> str:
    """Which class is explained, and whether it is so because somebody chose it."""
    if scene.target_class is None:
        return ""
    if chosen is None:
        with_all = " with all channels on" if scene.switches else ""
        return f"Explains the class with the highest score{with_all}."
    top = scene.first_class if scene.unswitched is None else int(scene.logits.nan_to_num(-torch.inf).argmax())
    share = in_words(float(probabilities(scene.logits[None], scene.kind)[0, top]), scene.kind)
    says = "" if top == chosen else f"; the network says {isolated(scene.label(top))} ({share})"
    return f"Explains {target_text(chosen, scene.label)}, which you chose{says}. It stays for other photographs."


def in_words(value: float, kind: Kind) -> str:
    """One of :func:`~cnnwidgets.outputs.kinds.probabilities` for a reader: a percentage, if it is one.

    >>> in_words(0.25, "sigmoid"), in_words(-31.5, "number")
    ('25.0 %', '−31.50')
    """
    return score_in_words(value, as_share=has_probabilities(kind))


def score_change(scene: Scene, logits: torch.Tensor) -> str:
    """How the class that is explained fares with other scores (classes,): "tiger cat 37.9 % → 12.4 %"."""
    before, after = probabilities(torch.stack([scene.logits_of_all.float(), logits]), scene.kind)
    index = scene.predicted if scene.target_class is None else scene.target_class
    change = change_in_words(float(before[index]), float(after[index]), scene.kind)
    return f"{isolated(scene.label(index))} {change}"


def change_in_words(before: float, after: float, kind: Kind) -> str:
    """From one number of :func:`in_words` to another, with as many digits as it takes to tell them apart, up to six.

    >>> change_in_words(0.379, 0.124, "logits"), change_in_words(0.0116, 0.0118, "logits")
    ('37.9 % → 12.4 %', '1.16 % → 1.18 %')
    """
    texts = [in_words(value, kind) for value in (before, after)]
    factor, unit = (100, " %") if has_probabilities(kind) else (1, "")
    for digits in range(2, 7):
        if before == after or texts[0] != texts[1] or not math.isfinite(before + after):
            break
        texts = [f"{factor * value:.{digits}f}{unit}".replace("-", "−") for value in (before, after)]
    return " → ".join(texts)
