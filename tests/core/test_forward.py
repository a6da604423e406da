from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError
from cnnwidgets.running.forward import fitted, run


class Raises(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise self.error


def nested(inner: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), inner))


def test_returns_what_the_model_returns() -> None:
    class Net(nn.Module):
        def forward(self, x):
            return {"logits": x * 2}

    assert run(Net(), torch.ones(1))["logits"].item() == 2


def test_the_failing_layer_is_named_with_its_input() -> None:
    original = ValueError("half a pixel")
    with pytest.raises(CnnWidgetsError) as caught:
        run(nested(Raises(original)), torch.zeros(1, 1, 5, 5))
    message = str(caught.value)
    assert "ValueError: half a pixel" in message
    assert "layer '1.1' (Raises)" in message
    assert "(1, 2, 3, 3)" in message
    assert caught.value.__cause__ is original


def test_an_error_that_the_model_handled_is_not_blamed() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Raises(ValueError("caught")), Raises(TypeError("not caught"))

        def forward(self, x):
            try:
                self.first(x)
            except ValueError:
                return self.second(x)

    with pytest.raises(CnnWidgetsError, match=r"TypeError: not caught — in layer 'second' \(Raises\)"):
        run(Careful(), torch.zeros(1))


def test_an_error_in_the_models_own_forward() -> None:
    with pytest.raises(CnnWidgetsError, match=r"in Raises\.forward, which got input of shape \(2,\)"):
        run(Raises(RuntimeError("no")), torch.zeros(2))


def test_called_inside_an_except_block() -> None:
    try:
        raise KeyError("unrelated")
    except KeyError:
        assert run(nn.ReLU(), torch.ones(1)).item() == 1
        with pytest.raises(CnnWidgetsError, match=r"layer '1\.1'"):
            run(nested(Raises(ValueError())), torch.zeros(1, 1, 5, 5))


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), Cancelled("stop"), torch.OutOfMemoryError("out"), MemoryError(), InputError("mine")]
)
def test_what_passes_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        run(nested(Raises(error)), torch.zeros(1, 1, 5, 5))
    assert caught.value is error


def test_wrong_number_of_channels() -> None:
    with pytest.raises(InputError, match=r"has 3 channels.*expects 1"):
        run(nested(nn.ReLU()), torch.zeros(1, 3, 5, 5))


def test_a_channel_mistake_inside_the_model_is_not_the_inputs() -> None:
    with pytest.raises(CnnWidgetsError, match=r"layer '1\.1' \(Conv2d\)") as caught:
        run(nested(nn.Conv2d(3, 1, 1)), torch.zeros(1, 1, 5, 5))
    assert not isinstance(caught.value, InputError)


def test_no_hook_stays() -> None:
    net = nested(Raises(ValueError()))
    with pytest.raises(CnnWidgetsError):
        run(net, torch.zeros(1, 1, 5, 5))
    assert not any(m._forward_hooks or m._forward_hooks_always_called for m in net.modules())


def test_wrappers_are_looked_through() -> None:
    net = nested(nn.ReLU())
    x = torch.randn(1, 1, 5, 5)
    assert torch.equal(run(nn.DataParallel(net), x), net(x))
    assert torch.equal(run(torch.compile(net), x), net(x))


def test_fitted_follows_the_parameters() -> None:
    assert fitted(nn.Linear(1, 1).bfloat16(), torch.ones(1)).dtype == torch.bfloat16
    assert fitted(nn.Linear(1, 1), torch.ones(1, dtype=torch.float64)).dtype == torch.float32
    assert fitted(nn.ReLU(), torch.ones(1, dtype=torch.float64)).dtype == torch.float64
