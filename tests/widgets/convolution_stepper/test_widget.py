"""ConvolutionStepper in Python: the output is torch's, inputs of every kind, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch.nn import functional

import cnnwidgets as cw
from cnnwidgets import ConvolutionStepper, InputError
from cnnwidgets.widgets._still.publish import newest_push, still_png
from tests.widgets.parity import python_keys, typescript_keys

RNG = np.random.default_rng(5)


def test_traits_are_those_of_the_page() -> None:
    assert python_keys(ConvolutionStepper) == typescript_keys("StepperState")


@pytest.mark.parametrize("sides", [((1, 8, 8), (3, 3)), ((3, 9, 7), (3, 2)), ((5, 12, 5), (1, 5)), ((2, 6, 6), (4, 4))])
def test_the_output_is_that_of_torch(sides: Any) -> None:
    (channels, height, width), window = sides
    x, kernel = RNG.normal(size=(channels, height, width)), RNG.normal(size=(channels, *window))
    compared = 0
    for stride, padding, dilation in product((1, 2, 3), (0, 1, 2), (1, 2)):
        numbers = {"stride": stride, "padding": padding, "dilation": dilation}
        bias = torch.tensor([0.7], dtype=torch.double)
        try:
            expected = functional.conv2d(torch.tensor(x)[None], torch.tensor(kernel)[None], bias, **numbers)
        except RuntimeError:  # larger than its input
            with pytest.raises(InputError, match="is larger than the input"):
                ConvolutionStepper(x, kernel, bias=0.7, **numbers)
            continue
        stepper = ConvolutionStepper(x, kernel, bias=0.7, **numbers)
        np.testing.assert_allclose(stepper.output, expected[0, 0].numpy(), rtol=0, atol=1e-12)
        compared += 1
    assert compared >= 6


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (3, 1, 2)])
def test_poolings_are_those_of_torch(stride: int, padding: int, dilation: int) -> None:
    x = RNG.normal(size=(3, 9, 8)) - 2  # mostly negative: a padding of 0 would win
    numbers = {"stride": stride, "padding": padding}
    largest = ConvolutionStepper(torch.tensor(x), (3, 2), operation="max", dilation=dilation, **numbers)
    expected = functional.max_pool2d(torch.tensor(x)[None], (3, 2), dilation=dilation, **numbers)[0]
    np.testing.assert_array_equal(largest.output, expected.numpy())
    mean = ConvolutionStepper(x, 3, operation="avg", **numbers)
    expected = functional.avg_pool2d(torch.tensor(x)[None], 3, **numbers)[0]
    np.testing.assert_allclose(mean.output, expected.numpy(), atol=1e-12)


def test_every_change_changes_the_output() -> None:
    stepper = ConvolutionStepper(np.arange(16).reshape(4, 4), [[1, 2], [3, 4]], position=8)
    assert stepper.output[0].tolist() == [34, 44, 54]
    stepper.stride, stepper.bias = 2, -4
    assert (stepper.output.tolist(), stepper.position) == ([[30, 50], [110, 130]], 3)
    stepper.kernel = np.ones((1, 1, 1))
    assert stepper.output.tolist() == [[-4, -2], [4, 6]]
    stepper.show(torch.ones(2, 3, 3), torch.ones(1, 2, 3, 3).half(), padding=1)
    assert (stepper.output[1, 1], stepper.stride, stepper.channels) == (18, 1, ["0", "1"])


def test_pictures_become_grey_or_three_channels_and_small(tmp_path: Any) -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, :64] = [255, 51, 0]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for picture in (pixels, Image.fromarray(pixels), tmp_path / "a.png", torch.tensor(pixels).permute(2, 0, 1)):
        colour = ConvolutionStepper(picture, np.ones((3, 3, 3)))
        assert colour.image.shape == (3, 16, 32)
        np.testing.assert_allclose(colour.image[:, 0, [0, 31]], [[1, 0], [0.2, 0], [0, 0]])
        assert colour.channels == ["red", "green", "blue"]
        assert "of 64 × 128 is shown, and computed with, at 16 × 32" in colour.notes[-1]
    grey = ConvolutionStepper(pixels, np.ones((3, 3)))
    # 0.299 of 255 and 0.587 of 51, rounded to a level
    np.testing.assert_allclose(grey.image[0, 0, 0], 106 / 255)
    floats = ConvolutionStepper(pixels / 255, np.ones((3, 1, 1)))
    np.testing.assert_allclose(floats.output, colour.image.sum(0))
    numbers = ConvolutionStepper(np.arange(64 * 32.0).reshape(64, 32), [[1.0]])
    np.testing.assert_allclose(numbers.image[0, 0, 0], np.mean([0, 1, 32, 33]))
    assert numbers.image.shape == (1, 32, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 2)), np.ones((3, 3))), r"kernel of 3 × 3 is larger than the input of 2 × 2\. Choose"),
        (
            (np.ones((3, 5, 5)), np.ones((3, 3))),
            "input has 3 channels and the kernel 1; expected as many. For the same",
        ),
        ((np.ones((2, 5, 5)), np.ones((4, 3, 3))), "input has 2 channels and the kernel 4"),
        ((np.ones((5, 5)), np.ones((4, 1, 3, 3))), "4 filters; expected one: pass kernel"),
        ((np.full((5, 5), np.nan), np.ones((3, 3))), "25 of the input's 25 numbers are NaN"),
        ((np.ones((5, 5)), [[np.inf]]), "1 of the kernel's 1 weights are NaN or infinite"),
        ((np.ones((5, 5)), 3), "sides of a window; a convolution needs weights"),
        ((np.ones((2, 1, 5, 5)), np.ones((3, 3))), r"shape \(2, 1, 5, 5\); expected"),
        ((np.zeros((5, 5, 3), np.uint8), np.ones((5, 2, 2))), "kernel has 5 input channels; a picture has 1"),
        (("no such file.png", np.ones((3, 3))), "no such file.png"),
        ((np.ones((5, 5)), [[1j]]), "complex128"),
        ((object(), [[1.0]]), "input"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ConvolutionStepper(*arguments)


def test_wrong_numbers_are_refused_and_nothing_changes() -> None:
    stepper = ConvolutionStepper(np.ones((5, 5)), np.ones((3, 3)), padding=1)
    before = stepper.output
    for options in (
        {"stride": 0},
        {"stride": (1, 2)},
        {"padding": -1},
        {"dilation": 1.5},
        {"bias": "1"},
        {"operation": "sum"},
    ):
        with pytest.raises(InputError, match=f"{next(iter(options))} is "):
            stepper.show(np.ones((9, 9)), np.ones((3, 3)), **options)
    for name, value in (
        ("dilation", 4),
        ("padding", -2),
        ("channel", 1),
        ("kernel", np.ones((9, 9))),
        ("bias", np.nan),
    ):
        with pytest.raises((InputError, traitlets.TraitError)):
            setattr(stepper, name, value)
    assert np.array_equal(stepper.output, before)
    with pytest.raises(InputError, match="half of its window of 3 × 3: 1"):
        ConvolutionStepper(np.ones((5, 5)), 3, padding=2, operation="avg")
    with pytest.raises(InputError, match="no dilation"):
        ConvolutionStepper(np.ones((5, 5)), 2, dilation=2, operation="avg")
    with pytest.raises(TypeError, match="Did you mean 'speed'"):
        ConvolutionStepper(sped="fast")


def test_what_the_page_draws_and_samples() -> None:
    stepper = ConvolutionStepper(np.zeros((2, 3, 4)), np.ones((2, 2, 2)))
    drawn = RNG.normal(size=(2, 3, 4))
    message = {"op": "draw", "rows": 3, "columns": 4}
    stepper._receive(None, message, [memoryview(drawn.tobytes())])
    assert np.array_equal(stepper.image, drawn)
    assert np.array_equal(newest_push(stepper, "input").arrays["values"], drawn)
    for wrong in (drawn.tobytes()[8:], np.full((2, 3, 4), np.nan).tobytes()):
        stepper._receive(None, message, [memoryview(wrong)])
        assert "draw again" in stepper.error
        assert np.array_equal(stepper.image, drawn)
    stepper._receive(None, {"op": "sample", "name": "square"}, [])
    assert stepper.image.shape == (2, 10, 10)
    assert stepper.image.sum() == 72  # 6 × 6 in each
    stepper._receive(None, {"op": "sample", "name": ""}, [])
    assert stepper.image.shape == (2, 3, 4)
    assert not stepper.image.any()


def test_a_picture_stands_for_it_without_a_kernel() -> None:
    stepper = cw.ConvolutionStepper(heading="conv1, filter 3")
    assert still_png(stepper) is not None
    assert stepper._still_title() == "Stepper · conv1, filter 3"
    assert still_png(ConvolutionStepper(None, 2, operation="max", stride=2)) is not None
