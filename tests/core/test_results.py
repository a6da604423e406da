from __future__ import annotations

import builtins
import dataclasses
import importlib
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.display import map_colours

NAN, INF = math.nan, math.inf


def attribution(values, **changes) -> Attribution:
    values = torch.as_tensor(values, dtype=torch.float32)
    fields = {"method": "grad_cam", "target": (0,) * len(values), "layer": "conv", "scores": torch.zeros(len(values))}
    return Attribution(values, **{**fields, **changes})


def test_unsigned_is_the_positive_part_of_each_image_over_its_largest() -> None:
    maps = attribution([[[-8.0, 1.0], [2.0, 4.0]], [[0.1, 0.0], [0.0, 0.05]]]).heatmap()
    torch.testing.assert_close(maps, torch.tensor([[[0, 0.25], [0.5, 1.0]], [[1.0, 0], [0, 0.5]]]))


def test_signed_keeps_zero_at_zero() -> None:
    maps = attribution([[[-8.0, 1.0], [2.0, 4.0]]]).heatmap(signed=True)
    assert maps.tolist() == [[[-1.0, 0.125], [0.25, 0.5]]]


def test_channels_merge_by_largest_magnitude_or_by_sum() -> None:
    gradients = attribution([[[[3.0, -1.0]], [[-4.0, 0.5]]]])
    assert gradients.heatmap().tolist() == [[[1.0, 0.25]]]
    assert gradients.heatmap(signed=True).tolist() == [[[-1.0, -0.5]]]


@pytest.mark.parametrize("signed", [False, True])
def test_zeros_stay_zero(signed: bool) -> None:
    assert attribution(torch.zeros(1, 2, 2)).heatmap(signed=signed).tolist() == [[[0, 0], [0, 0]]]


def test_a_map_that_is_negative_everywhere_is_empty_unsigned() -> None:
    assert attribution([[[-1.0, -2.0]]]).heatmap().tolist() == [[[0, 0]]]


def test_tiny_values_are_scaled_like_any_other() -> None:
    assert attribution([[[1e-30, 5e-31]]]).heatmap().tolist() == [[[1.0, 0.5]]]
    assert attribution([[[1e-42, 0.0]]]).heatmap()[0, 0, 0] > 0


@pytest.mark.parametrize("signed", [False, True])
def test_not_a_number_stays_and_scales_nothing(signed: bool) -> None:
    flat = attribution([[[NAN, 2.0], [1.0, INF]]]).heatmap(signed=signed)
    np.testing.assert_array_equal(flat[0], [[NAN, 1.0], [0.5, NAN]])
    deep = attribution([[[[NAN, 2.0]], [[0.0, 0.0]]]]).heatmap(signed=signed)
    np.testing.assert_array_equal(deep[0], [[NAN, 1.0]])
    assert attribution([[[NAN, NAN]]]).heatmap(signed=signed).isnan().all()


def test_size_is_bilinear_between_cell_centres() -> None:
    maps = attribution([[[0.0, 4.0]]]).heatmap(size=(1, 4))
    assert maps.tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    assert attribution([[[0.0, 4.0]]]).heatmap(size=3).shape == (1, 3, 3)
    with pytest.raises(CnnWidgetsError, match="size"):
        attribution([[[0.0]]]).heatmap(size=(0, 4))


def test_the_raw_values_are_untouched() -> None:
    result = attribution([[[-8.0, NAN]]])
    result.heatmap()
    np.testing.assert_array_equal(result.values, [[[-8.0, NAN]]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": torch.zeros(1, 2, 2, dtype=torch.float64)}, "float64"),
        ({"values": torch.zeros(2, 2)}, r"\(2, 2\)"),
        ({"values": torch.zeros(1, 2, 2, requires_grad=True)}, "detach"),
        ({"values": [[[1.0]]]}, "list"),
        ({"scores": torch.zeros(2)}, "1 maps and 2 scores"),
        ({"scores": torch.zeros(1, 1)}, r"\(N,\)"),
    ],
)
def test_what_is_no_attribution(changes, words: str) -> None:
    with pytest.raises(CnnWidgetsError, match=words):
        dataclasses.replace(attribution([[[1.0]]]), **changes)


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        attribution([[[1.0]]]).method = "other"


def test_repr_is_short() -> None:
    result = attribution(torch.zeros(1, 50, 50), notes=["be careful"])
    assert repr(result) == (
        "Attribution(grad_cam, layer='conv', target=(0,), values=(1, 50, 50), notes=('be careful',))"
    )


def test_the_picture_shows_the_maps_in_their_colours() -> None:
    picture = Image.open(io.BytesIO(attribution([[[1.0, 0.0], [NAN, 0.0]]])._repr_png_()))
    assert picture.size == (224, 224)
    assert picture.getpixel((10, 10)) == (252, 253, 191)
    assert picture.getpixel((200, 10)) == (0, 0, 4)
    assert picture.getpixel((10, 200)) == (128, 128, 128)


def test_signed_colours_put_zero_in_the_neutral_middle() -> None:
    colours = map_colours(np.array([[-1.0, 0.0, 1.0]], np.float32), signed=True)
    assert colours.tolist() == [[[33, 102, 172], [247, 247, 247], [178, 24, 43]]]


def test_plot_shows_true_numbers() -> None:
    importlib.import_module("matplotlib")
    figure = attribution([[[-8.0, 2.0]]], notes=("a note",)).plot(torch.zeros(1, 3, 4, 8))
    drawn = figure.axes[0].images[-1]
    assert drawn.get_array().tolist() == [[-8.0, 2.0]]
    assert drawn.get_clim() == (-8.0, 8.0)
    assert "a note" in figure.get_supxlabel()


def test_a_plot_says_what_it_shows_and_names_no_class_where_the_map_depends_on_none() -> None:
    importlib.import_module("matplotlib")
    net, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)), torch.rand(2, 3, 8, 8)

    def titles(result: Attribution) -> list[str]:
        return [axis.get_title() for axis in result.plot().axes if axis.get_title()]

    grad_cam, eigen_cam = cw.explainers.grad_cam(net, x, 3, layer="1"), cw.explainers.eigen_cam(net, x, 3, layer="1")
    scores = [f"{score:.4g}" for score in net(x)[:, 3].tolist()]
    assert titles(grad_cam) == [f"Grad-CAM · 1 → class 3, score {score}" for score in scores]
    assert grad_cam.subjects == ("class 3", "class 3")
    assert titles(eigen_cam) == ["Eigen-CAM · 1", "Eigen-CAM · 1"]
    assert cw.explainers.saliency(net, x, lambda out: out[:, 0]).subjects == ("<lambda>", "<lambda>")


def test_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CnnWidgetsError, match="pip install matplotlib"):
        attribution([[[1.0]]]).plot()
