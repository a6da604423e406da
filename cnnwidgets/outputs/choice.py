"""Which of the tensors that a model returned holds the scores."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.core.nested import members

from .origins import Origins

OutputChoice: TypeAlias = int | str | Callable[[Any], Any] | None
"""Which output holds the scores: an index, a name (dotted where outputs are nested), or ``raw -> tensor``, given what
the model returned. None: found out."""

_DEPTH = 5
_MOST = 200  # tensors looked at
# Names that say it, the surest first; in "class_logits" and the like the part counts.
_SAYING = """
    logits class_logits cls_logits pred_logits logit scores class_scores cls_scores cls_score score cls class
    classes classification classifier pred preds prediction predictions y_pred y_hat yhat out output outputs
    probs prob probabilities probability probas proba log_probs logprobs y main final
"""
_SAY_IT = _SAYING.split()
_PARTS_SAY_IT = frozenset({"logits", "logit", "scores", "score", "cls", "pred", "preds", "prediction", "probs", "prob"})
_DENYING = """
    aux auxiliary loss losses feature features feat feats embedding embeddings embed emb hidden state states
    attention attentions attn latent mu logvar recon reconstruction box boxes bbox bboxes mask masks pooled pooler
    representation representations proj projection backbone saliency depth anchors
    token tokens clstoken scale temperature
"""
_SAY_NO = frozenset(_DENYING.split())
_ASIDE = frozenset({"aux", "auxiliary"})  # heads that only help in training


class Leaf(NamedTuple):
    """A tensor in what a model returned, and the way to it: keys, indices and names of attributes."""

    path: tuple[Any, ...]
    tensor: torch.Tensor

    @property
    def title(self) -> str:
        """How it is asked for with ``output=``: 1, 'cls', 'heads.cls'."""
        if len(self.path) == 1 and isinstance(self.path[0], int):
            return str(self.path[0])
        return repr(".".join(map(str, self.path)))

    @property
    def text(self) -> str:
        """The same with its shape."""
        return f"{self.title} {tuple(self.tensor.shape)}"


class Pick(NamedTuple):
    """The tensor chosen, where it was, and the other candidates if that was not plain."""

    leaf: Leaf
    others: tuple[Leaf, ...] = ()

    @property
    def note(self) -> str:
        """What to say of the choice; empty where it is plain."""
        if not self.others:
            return ""
        more = f" and {len(self.others) - 2} more" if len(self.others) > 2 else ""
        rest = ", ".join(other.text for other in self.others[:2])
        return (
            f"the model returns several tensors that may be scores: output {self.leaf.text} is taken, not "
            f"{rest}{more}; output={self.others[0].title} chooses another"
        )


def leaves(raw: Any) -> list[Leaf]:
    """Every tensor in what a model returned: in tuples, mappings, data classes and other objects, nested or not."""
    return list(itertools.islice(_walk(raw, (), set()), _MOST))


def _walk(value: Any, path: tuple[Any, ...], around: set[int]) -> Iterator[Leaf]:
    if isinstance(value, torch.Tensor):
        yield Leaf(path, value)
        return
    if len(path) >= _DEPTH or id(value) in around:
        return
    for name, inner in members(value):
        yield from _walk(inner, (*path, name), around | {id(value)})


def at(raw: Any, path: Sequence[Any]) -> Any:
    """What lies at a path of :func:`leaves`.

    Raises:
        KeyError: there is nothing.
    """
    for name in path:
        raw = dict(members(raw))[name]
    return raw


def asked_for(raw: Any, output: int | str) -> Any:
    """What ``output=`` names in what the model returned: a tensor, or something that holds some.

    Raises:
        TargetError: there is no such thing, or several; says what there is.
    """
    inside = members(raw)
    if isinstance(output, int):
        if isinstance(raw, Mapping) and output in raw:
            return raw[output]
        if not isinstance(raw, torch.Tensor) and -len(inside) <= output < len(inside):
            return inside[output][1]
    else:
        named = {name: value for name, value in inside if isinstance(name, str)}
        if output in named:
            return named[output]
        paths = [leaf.path for leaf in leaves(raw)]
        # Tensors, and containers inside; else what alone has this name in whatever it is.
        every = [path[:depth] for path in paths for depth in range(1, len(path) + 1)]
        exact = [path for path in every if ".".join(map(str, path)) == output]
        last = [path for path in paths if path and str(path[-1]) == output]
        if exact or len(last) == 1:
            return at(raw, [*exact, *last][0])
    raise TargetError(f"output is {output!r}, and the model returned {listed(raw)}. Pass one of these, or a function.")


def listed(raw: Any) -> str:
    """What may be passed as ``output=``."""
    if isinstance(raw, torch.Tensor):
        return f"one tensor, of shape {tuple(raw.shape)}: leave output= out"
    every = leaves(raw)
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return ", ".join(leaf.text for leaf in every[:8]) + more if every else f"no tensor, but a {type(raw).__name__}"


def picked(every: Sequence[Leaf], origins: Origins, *, batch: int | None, classes: int | None) -> Pick | None:
    """The tensor that holds the scores, by its name, its shape and what made it; None if there is none.

    Args:
        every: all tensors that the model returned.
        origins: what made them, as far as it was seen.
        batch: how many images went in, if that is known.
        classes: how many classes have names, if that is known.
    """
    if len(every) < 2:
        return Pick(every[0]) if every else None
    able = [leaf for leaf in every if leaf.tensor.ndim > 0] or list(every)  # a loss is no score
    able = [leaf for leaf in able if leaf.tensor.is_floating_point()] or able
    tables = [leaf for leaf in able if is_table(leaf.tensor, batch)]
    rest = [leaf for leaf in tables if _rank(leaf.path) < _NOT] or tables
    if not rest:
        surest = min(_rank(leaf.path) for leaf in able)
        able = [leaf for leaf in able if _rank(leaf.path) == surest]
        first = _last(able, origins)[0]
        return Pick(first, tuple(leaf for leaf in able if leaf is not first))
    fitting = [leaf for leaf in rest if classes is not None and leaf.tensor.shape[-1:] == (classes,)]
    if len(fitting) == 1:
        return Pick(fitting[0])
    rest = fitting or rest
    named = [leaf for leaf in rest if _rank(leaf.path) < _SILENT]
    if named:
        best = min(named, key=lambda leaf: _rank(leaf.path))
        if not _is_wide(best):  # one number an image may be how sure the others are
            named = [*named, *(leaf for leaf in rest if _is_wide(leaf) and _rank(leaf.path) == _SILENT)]
        return Pick(best, tuple(leaf for leaf in named if leaf is not best))
    heads = _last(rest, origins)
    heads = [leaf for leaf in heads if origins.of(leaf.tensor) in _HEADS] or heads
    heads = [leaf for leaf in heads if _is_wide(leaf)] or heads
    pictures = [
        leaf
        for leaf in able
        if leaf not in tables and leaf.tensor.ndim > 2 and origins.uses(leaf.tensor, heads[0].tensor)
    ]
    return Pick(heads[0], (*(leaf for leaf in rest if leaf is not heads[0]), *pictures))  # made of a latent vector


def _last(some: Sequence[Leaf], origins: Origins) -> list[Leaf]:
    """Those of which no layers made another: the scores, and not the features that they are scores of."""
    return [leaf for leaf in some if not any(origins.uses(other.tensor, leaf.tensor) for other in some)] or list(some)


def _is_wide(leaf: Leaf) -> bool:
    return leaf.tensor.ndim > 1 and leaf.tensor.shape[1] > 1


_HEADS = frozenset({"linear", "softmax", "log_softmax", "sigmoid", "log_sigmoid"})
_SILENT, _NOT = 100, 1000
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # clsScore


def is_table(tensor: torch.Tensor, batch: int | None) -> bool:
    """Whether a tensor can be read as scores, (N, K) or (N,), by its shape."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return False
    shape = tuple(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    if batch == 1 and len(shape) < 2:
        return True
    return len(shape) in (1, 2) and (batch is None or shape[0] == batch)


def _rank(path: tuple[Any, ...]) -> int:
    """How surely the name says that these are the scores: less than 100, it does; 1000 and more, it says no."""
    names = [_HUMP.sub("_", name).lower() for name in path if isinstance(name, str)]
    if not names:
        return _SILENT
    words = [set(name.replace("-", "_").split("_")) for name in names]
    if names[-1] in _SAY_IT:
        rank = _SAY_IT.index(names[-1])
    elif words[-1] & _PARTS_SAY_IT:
        rank = len(_SAY_IT)
    else:
        spoken = [_SAY_IT.index(name) for name in names if name in _SAY_IT]
        rank = len(_SAY_IT) + 1 + spoken[0] if spoken else _SILENT
    parts = {part.rstrip("0123456789") for some in words for part in some}
    says_no = parts & (_ASIDE if names[-1] in _SAY_IT else _SAY_NO)
    return rank + _NOT if says_no else rank
