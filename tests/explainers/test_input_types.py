"""A network is fed the type that the first layer to see the image takes; the numbers are those of one type alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.checks import insertion_deletion, randomised
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.incremental import Edited
from cnnwidgets.running.forward import fitted

X = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
METHODS = ("grad_cam", "saliency", "occlusion", "score_cam", "ablation_cam", "integrated_gradients")


class Net(nn.Module):
    """A number first among its parameters, a body, a head that may be of another type."""

    def __init__(self, number: torch.Tensor | None = None, body: torch.dtype | None = None) -> None:
        super().__init__()
        self.number = None if number is None else nn.Parameter(number, requires_grad=number.is_floating_point())
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(8, 4)
        if body is not None:
            self.body.to(body)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(self.body(x).to(self.head.weight.dtype))
        return y if self.number is None else y / self.number.to(y.dtype)


def explained(net: nn.Module, name: str, x: torch.Tensor = X) -> torch.Tensor:
    return getattr(cw.explainers, name)(net, x, 1).values  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "number",
    [
        torch.tensor(2.0, dtype=torch.float64),
        torch.tensor([2.0], dtype=torch.float64),
        torch.tensor(2.0, dtype=torch.bfloat16),
        torch.tensor(2.0, dtype=torch.float16),
        torch.tensor(2),
    ],
    ids=str,
)
def test_one_number_of_another_type(number: torch.Tensor) -> None:
    net, plain = Net(number), Net(torch.tensor(2.0))
    assert fitted(net, X.double()).dtype == torch.float32
    for name in METHODS:
        assert torch.allclose(explained(net, name), explained(plain, name), atol=1e-6), name
    assert cw.trace(net, X).total_macs == cw.trace(plain, X).total_macs
    assert torch.equal(
        Edited(net, X).scores(torch.zeros(3, 4, 4), [2], [3]), Edited(plain, X).scores(torch.zeros(3, 4, 4), [2], [3])
    )
    explorer = cw.explore(net, X)
    explorer.wait()
    explorer.close()


@pytest.mark.parametrize(("body", "within"), [(torch.float64, 1e-6), (torch.float16, 0.02), (torch.bfloat16, 0.1)])
def test_a_body_and_a_head_of_two_types(body: torch.dtype, within: float) -> None:
    net, plain = Net(body=body), Net()
    assert fitted(net, X).dtype == body
    for name in METHODS:
        expected = explained(plain, name)
        assert (explained(net, name) - expected).abs().max() <= within * expected.abs().max(), name
    assert cw.trace(net, X).total_macs == cw.trace(plain, X).total_macs


def test_most_numbers_do_not_decide() -> None:
    """The head has far more numbers than the layer that sees the image."""

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.stem = nn.Linear(768, 100), nn.Conv2d(3, 3, 1).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.stem(x).flatten(1).float())

    assert fitted(Wide(), X).dtype == torch.float64


def test_the_type_is_found_again_when_it_changes() -> None:
    net = Net(torch.tensor(2.0, dtype=torch.float64))
    assert fitted(net, X).dtype == torch.float32
    net.body.half()
    assert fitted(net, X).dtype == torch.float16


def test_kernels_that_are_buffers() -> None:
    class Edges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.ones(2, 3, 3, 3, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.kernel).mean((2, 3))

    # The middle pixels are in 9 of 14 * 14 windows.
    assert torch.allclose(explained(Edges(), "saliency")[0, :, 2:-2, 2:-2], torch.tensor(9 / 196))


@pytest.fixture(params=[torch.float64, torch.bfloat16], ids=str)
def _another_default_type(request: pytest.FixtureRequest) -> Iterator[None]:
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_another_default_type")
@pytest.mark.parametrize("name", cw.explainers.names())
def test_another_default_type(name: str) -> None:
    now = torch.get_default_dtype()
    net = Net().float()
    result = getattr(cw.explainers, name)(net, X, 1)
    torch.set_default_dtype(torch.float32)
    expected = getattr(cw.explainers, name)(net, X, 1)
    torch.set_default_dtype(now)
    assert result.values.dtype == torch.float32
    assert torch.allclose(result.values, expected.values, atol=1e-6)


@pytest.mark.usefixtures("_another_default_type")
def test_pictures_and_checks_under_another_default_type() -> None:
    import numpy as np

    net, picture = Net().float(), np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    preprocess = cw.pictures.preprocess.preprocess_for(net)
    assert cw.pictures.picture.load_picture(picture, net, preprocess).tensor.dtype == torch.float32
    curves = insertion_deletion(net, X, cw.explainers.grad_cam(net, X, 1), steps=4)
    assert curves.fractions.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert randomised(net, X, "grad_cam", 1).stages
    explorer = cw.explore(net, picture, preprocess=preprocess)
    explorer.method = "occlusion"
    explorer.wait()
    explorer.close()


def test_precision_lowered_inside_the_forward() -> None:
    class Autocast(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return super().forward(x).float()

    for name in METHODS:
        expected = explained(Net(), name)
        assert (explained(Autocast(), name) - expected).abs().max() <= 0.15 * expected.abs().max(), name


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers() -> None:
    plain = nn.Sequential(Net().body, Net().head)
    net = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear}, dtype=torch.qint8)
    assert torch.allclose(explained(net, "eigen_cam"), explained(plain, "eigen_cam"), atol=1e-6)
    with pytest.raises(CnnWidgetsError, match="occlusion"):
        explained(net, "saliency")


def test_complex_weights() -> None:
    class Fourier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.full((16, 9), 2 + 0j))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.irfft2(torch.fft.rfft2(x) * self.gain, s=(16, 16)).mean((2, 3))

    assert torch.allclose(explained(Fourier(), "saliency")[0, 1], torch.tensor(2 / 256), atol=1e-6)
    with pytest.raises(CnnWidgetsError, match="Conv2d"):
        explained(nn.Sequential(nn.Conv2d(3, 2, 1, dtype=torch.complex64)), "occlusion")


def test_weights_on_the_meta_device() -> None:
    class Partly(nn.Module):
        def __init__(self, use: bool) -> None:
            super().__init__()
            self.unused = nn.Linear(8, 8, device="meta")
            self.net, self.use = Net(), use

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.unused(self.net.body(x)) if self.use else self.net(x)

    assert torch.allclose(explained(Partly(use=False), "saliency"), explained(Net(), "saliency"))
    with pytest.raises(CnnWidgetsError, match=r"meta device.*load them first"):
        explained(Partly(use=True), "saliency")
