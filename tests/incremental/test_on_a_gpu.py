"""What is otherwise on a GPU, as far as a CPU can tell: tests/gpu has the rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.agreement import tolerance
from cnnwidgets.incremental.values.edits import Edits

IMAGE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Norm(nn.BatchNorm2d):
    """Batch normalisation under the name by which torch calls it on a GPU, where nobody runs it but the engine."""

    name = ""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not isinstance(x, Edits):
            return super().forward(x)
        numbers = [False, 0.1, self.eps] if "no_training" not in self.name else [0.1, self.eps]
        with torch._C.DisableTorchFunctionSubclass():
            outputs: Any = getattr(torch.ops.aten, self.name)(
                x, self.weight, self.bias, self.running_mean, self.running_var, *numbers
            )
        return outputs[0]


NAMES = ["native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm", "_native_batch_norm_legit_no_training"]


@pytest.mark.parametrize("name", NAMES)
def test_batch_norm_under_each_of_its_names(name: str) -> None:
    torch.manual_seed(2)
    norm = Norm(4)
    norm.name, norm.running_mean, norm.running_var = name, torch.randn(4), torch.rand(4) + 0.5
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(288, 3))
    edited = IMAGE.clone()
    edited[..., 4:8, 2:6] = 0.5
    with Edited(model.eval(), IMAGE, engine="incremental") as edits, torch.no_grad():
        scores = edits.scores(torch.full((3, 4, 4), 0.5), [4], [2])
        torch.testing.assert_close(scores, model(edited))


class Rounded(nn.Conv2d):
    """Rounds numbers to the 11 bits of TF32, in another way for each size of the batch, as a GPU does."""

    by_layout = False
    wrong = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1 or (self.by_layout and x.is_contiguous()):
            steps = torch.exp2(torch.floor(torch.log2(x.abs().clamp(min=1e-30))) - 10)
            x = (x / steps).round() * steps + self.wrong
        return functional.conv2d(x, self.weight)


def rounded(**how: Any) -> nn.Module:
    torch.manual_seed(2)
    net = nn.Sequential(Rounded(3, 4, 3), nn.ReLU(), Rounded(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 3))
    nn.init.normal_(net[-1].weight)
    for name, value in how.items():
        setattr(net[0], name, value)
    return net


@pytest.mark.parametrize("engine", ["full", "auto"])
def test_batches_that_are_rounded_in_another_way(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = rounded()
    with Edited(net, IMAGE, engine="full") as edits, pytest.raises(CnnWidgetsError, match="influence one another"):
        edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])  # nothing on a CPU rounds so
    monkeypatch.setattr("cnnwidgets.incremental.agreement.product_rounding", lambda *_: 2**-10)
    with Edited(net, IMAGE, engine=engine) as edits:
        scores = edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])
        assert edits.notes == ()
    with torch.no_grad():
        torch.testing.assert_close(scores, net(edits.edits(torch.zeros(3, 4, 4), [0, 8], [0, 8])), rtol=0, atol=0.01)
    with Edited(rounded(wrong=0.1), IMAGE, engine="full") as edits, pytest.raises(CnnWidgetsError, match="influence"):
        edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])


def test_batches_that_are_rounded_as_layouts_are() -> None:
    with Edited(rounded(by_layout=True), IMAGE, engine="full") as edits:
        edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])
        assert edits.notes == ()


@pytest.mark.parametrize(("share", "is_rounding"), [(0.4, True), (0.1, False)])
def test_what_layouts_differ_by_counts_where_it_is_little(share: float, is_rounding: bool) -> None:
    """Batches differ by twice what is allowed, layouts by a share of that."""

    class Moved(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            of_layout = share if x.is_contiguous() else 0.0
            scores = x[:, 0].mean((1, 2))[:, None] + torch.tensor([0.0, 1.0])
            return scores + torch.tensor([0.0, 2e-4]) * (1.0 if len(x) > 1 else of_layout)

    with Edited(Moved(), IMAGE, engine="full") as edits:
        if is_rounding:
            edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])
            return
        with pytest.raises(CnnWidgetsError, match="influence one another"):
            edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])


def test_images_that_meet_where_batches_are_rounded_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Meeting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - 0.05 * x.mean(0)

    monkeypatch.setattr("cnnwidgets.incremental.agreement.product_rounding", lambda *_: 2**-10)
    net = nn.Sequential(*rounded(by_layout=True), Meeting())
    with Edited(net, IMAGE, engine="full") as edits, pytest.raises(CnnWidgetsError, match="influence one another"):
        edits.scores(torch.zeros(3, 4, 4), [0, 8], [0, 8])


def test_how_much_is_rounding() -> None:
    assert tolerance(10.0, torch.float32, CPU) == tolerance(10.0, torch.float64, GPU) == pytest.approx(1e-3)
    assert tolerance(10.0, torch.float32, GPU) == pytest.approx(10 * 2.5 / 1024)
    assert tolerance(10.0, torch.float16, GPU) == tolerance(10.0, torch.float16, CPU) == pytest.approx(640 / 1024)
