"""The copy shares nothing with the model; what cannot be copied is named."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.state.copying import private_copy
from tests.checks import nets


def test_a_copy_computes_the_same_with_weights_of_its_own() -> None:
    model, x = nets.small(), nets.images()
    copied = private_copy(nn.DataParallel(model))
    assert torch.equal(copied(x), model(x))
    before = model(x)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert torch.equal(model(x), before)
    assert not torch.equal(copied(x), before)


def test_the_part_that_cannot_be_copied_is_named() -> None:
    model = nets.small()
    model[2].guard = threading.Lock()
    with pytest.raises(CnnWidgetsError, match=r"'2\.guard' cannot be copied"):
        private_copy(model)


def test_an_activation_that_a_model_keeps_with_its_graph_is_copied() -> None:
    model = nets.small()
    model.kept = torch.ones(2, requires_grad=True) * 2
    copied = private_copy(model)
    assert copied.kept.tolist() == [2.0, 2.0]
    assert copied.kept is not model.kept
    assert not copied.kept.requires_grad


def test_a_copy_that_is_none_is_refused() -> None:
    class Same(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Same:
            return self

    with pytest.raises(CnnWidgetsError, match="shares weights"):
        private_copy(nn.Sequential(nn.Flatten(), Same(2, 2)))
    with pytest.raises(CnnWidgetsError, match="shares weights"):
        private_copy(Same(2, 2))


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("copy.deepcopy", full)
    with pytest.raises(CnnWidgetsError, match="no memory for a second copy"):
        private_copy(nn.Linear(2, 2))


def test_hooks_that_come_and_go_meanwhile_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import copy

    real, calls = copy.deepcopy, []

    def busy(value: Any, *rest: Any) -> Any:
        if isinstance(value, nn.Linear) and len(calls) < 2:
            calls.append(1)
            raise RuntimeError("OrderedDict mutated during iteration")
        return real(value, *rest)

    monkeypatch.setattr("copy.deepcopy", busy)
    assert isinstance(private_copy(nn.Linear(2, 2)), nn.Linear)
    assert len(calls) == 2
