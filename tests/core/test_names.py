from __future__ import annotations

from collections import UserDict

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound
from cnnwidgets.core.network import Network


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.ReLU(), nn.Linear(1, 1)))


def test_names_are_those_of_named_modules() -> None:
    assert Network.of(net()).names == ["0", "1", "1.0", "1.1"]
    assert Network.of(nn.ReLU()).names == [""]


def test_a_layer_is_found_by_name_module_and_under_wrappers() -> None:
    model = net()
    assert Network.of(model).find("1.0") == ("1.0", model[1][0])
    assert Network.of(model).find(model[1]) == ("1", model[1])
    assert Network.of(nn.DataParallel(model)).find("module.1.0") == ("1.0", model[1][0])
    assert Network.of(torch.compile(model, backend="eager")).find("_orig_mod.1.1") == ("1.1", model[1][1])
    assert Network.of(nn.DataParallel(model)).base is model


def test_attributes_may_come_while_layers_are_looked_for() -> None:
    class Growing(UserDict):
        def items(self):
            model.late = 1  # as a forward sets it on another thread
            return super().items()

    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.box, self.scale = Growing(inner=nn.ReLU()), 1.0

    model = Keeps()
    assert Network.of(model).names == ["box.inner"]
    assert model.late == 1


def test_an_unknown_name_lists_the_closest() -> None:
    model = nn.ModuleDict({f"layer{k}": nn.ReLU() for k in range(1, 5)})
    with pytest.raises(LayerNotFound, match=r"No layer 'layer5'\. Closest: 'layer4'"):
        Network.of(model).find("layer5")
    with pytest.raises(KeyError):
        Network.of(model).find("layer5")
    with pytest.raises(LayerNotFound, match="not part of this ModuleDict"):
        Network.of(model).find(nn.ReLU())
    with pytest.raises(LayerNotFound) as long:
        Network.of(model).find("x" * 500)
    assert len(str(long.value)) < 300


@pytest.mark.parametrize("model", [nn.Linear, "resnet18", {"w": torch.zeros(1)}])
def test_what_is_no_model(model: object) -> None:
    with pytest.raises(CnnWidgetsError, match=r"Expected a torch\.nn\.Module"):
        Network.of(model)  # type: ignore[arg-type]
