"""What the kernel grid takes, sends and draws without a kernel."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets import InputError
from cnnwidgets.widgets._still.publish import newest_push, still_png
from cnnwidgets.widgets.kernel_grid.still import kernel_pixels
from tests.widgets.parity import python_keys, typescript_keys


def test_traits_are_those_of_the_page() -> None:
    assert python_keys(cw.KernelGrid) == typescript_keys("KernelGridState")


@pytest.mark.parametrize(
    ("shape", "facts", "sent", "coloured"),
    [
        ((8, 3, 5, 5), "8 filters of 3 × 5 × 5", (8, 3, 1, 5, 5), True),
        ((8, 4, 3, 3), "8 filters of 4 × 3 × 3", (8, 4, 1, 3, 3), False),
        ((2, 3, 2, 3, 3), "2 filters of 3 × 2 × 3 × 3", (2, 3, 2, 3, 3), True),
        ((4, 3, 7), "4 filters of 3 × 7", (4, 3, 1, 1, 7), False),
        ((1, 6), "1 filter of 6", (1, 6, 1, 1, 1), False),
        ((5, 3, 1, 1), "5 filters of 3 × 1 × 1", (5, 3, 1, 1, 1), False),
    ],
)
def test_shapes(shape, facts, sent, coloured) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    widget = cw.KernelGrid(torch.from_numpy(array).requires_grad_(), layer="conv")
    arrays, content = newest_push(widget, "kernels")
    assert arrays["values"].shape == sent
    assert np.array_equal(arrays["values"].ravel(), array.ravel())
    assert (content["facts"], content["coloured"], content["signal"]) == (facts, coloured, len(shape) == 3)
    np.testing.assert_allclose(arrays["norms"], [np.linalg.norm(kernel) for kernel in array], rtol=1e-6)
    assert still_png(widget) is not None


def test_dead_and_alike_filters_are_found_or_taken_from_the_summary() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU())
    weight = net[1].weight.data
    weight[1] = -2 * weight[0]
    weight[4] = weight[2]  # of another group
    weight[5] = 0
    content = newest_push(cw.KernelGrid(net[1].weight), "kernels").content
    assert (content["dead"], set(content["alike"])) == ([5], {"0", "1", "2", "4"})
    grouped = cw.KernelGrid(cw.kernels.weights(net, "1"))
    content = newest_push(grouped, "kernels").content
    assert content["alike"] == {"0": [(1, -1.0)], "1": [(0, -1.0)]}
    assert (grouped.layer, content["facts"]) == ("1", "2 groups, 6 filters of 2 × 3 × 3")
    weight[3] = -weight[3].abs()
    net[1].bias.data[3] = -1
    summary = cw.kernels.summary(net, "1", torch.rand(1, 4, 8, 8))
    content = newest_push(cw.KernelGrid(summary.kernels, summary=summary), "kernels").content
    assert content["dead"] == [3, 5]
    with pytest.raises(InputError, match="6 filters; the kernels have 2"):
        cw.KernelGrid(np.ones((2, 3)), summary=summary)


def test_what_is_too_much_is_said() -> None:
    array = np.zeros((40, 2**17), np.float32)
    array[:, 0] = np.arange(40)
    widget = cw.KernelGrid(array)
    arrays, content = newest_push(widget, "kernels")
    assert arrays["filters"].tolist() == list(range(8, 40))
    assert content["notes"] == ["32 of 40 filters are shown, those with the largest norm: all would be too many."]
    with pytest.raises(traitlets.TraitError, match="No filter 3 on show"):
        widget.channel = 3


def test_not_finite_half_and_quantised() -> None:
    array = np.ones((2, 1, 2, 2), np.float16)
    array[0, 0, 0, 0] = np.nan
    content = newest_push(cw.KernelGrid(array), "kernels").content
    assert content["notes"] == ["1 weight is NaN or infinite, in magenta."]
    assert newest_push(cw.KernelGrid(torch.ones(2, 2, dtype=torch.bfloat16)), "kernels").arrays["norms"].tolist()


def test_selection() -> None:
    widget = cw.KernelGrid(np.ones((4, 3, 2, 2)), channel=2, input=1)
    widget.show(np.ones((3, 2, 2, 2)))
    assert (widget.channel, widget.input) == (2, 1)
    widget.show(np.ones((2, 1, 2, 2)))
    assert (widget.channel, widget.input) == (None, None)
    widget.set_state({"channel": 7, "input": 5, "sort": "norm"})  # a click that came too late
    assert (widget.channel, widget.input, widget.sort, widget.error) == (None, None, "norm", "")
    with pytest.raises(traitlets.TraitError, match="no kernels are on show"):
        cw.KernelGrid(channel=0)


def test_bad_input() -> None:
    for bad in (np.ones(3), np.ones((1, 1, 1, 1, 1, 1)), np.ones((0, 3)), "conv1", np.ones((2, 2), complex)):
        with pytest.raises(InputError):
            cw.KernelGrid(bad)
    with pytest.raises(InputError, match="5 filters do not form 2 groups"):
        cw.KernelGrid(np.ones((5, 2)), groups=2)
    with pytest.raises(TypeError, match="Did you mean 'sort'"):
        cw.KernelGrid(sorts="norm")


def test_colours_of_the_still_picture() -> None:
    values = np.array([1.0, -1.0, 0.0, np.nan]).reshape(1, 1, 2, 2)
    pixels = kernel_pixels(values, 1.0, "blue-red", coloured=False, signal=False)
    assert pixels[1, 1].tolist() == [255, 0, 255]
    assert pixels[0, 0, 0] > pixels[0, 0, 2], "red is positive"
    assert pixels[0, 1, 2] > pixels[0, 1, 0], "blue is negative"
    rgb = kernel_pixels(np.array([2.0, 0.0, -2.0]).reshape(3, 1, 1, 1), 2.0, "blue-red", coloured=True, signal=False)
    assert rgb.tolist() == [[[255, 128, 1]]]


def test_the_still_picture() -> None:
    widget = cw.KernelGrid(
        np.random.default_rng(1).normal(size=(64, 3, 7, 7)), layer="conv1", sort="norm", network="net"
    )
    image = Image.open(io.BytesIO(still_png(widget)))
    assert image.width > 300
    assert cw.KernelGrid()._still() is None
    assert widget._still_title() == "Kernels · conv1 · net"
