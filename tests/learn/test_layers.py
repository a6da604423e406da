"""Layers by pencil and paper, and what they refuse; tests/conformance compares them with PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnwidgets import learn
from cnnwidgets.core.errors import InputError

X = np.arange(16.0).reshape(1, 1, 4, 4)


def test_a_convolution_by_hand() -> None:
    # Rows of X differ by 4, columns by 1: this kernel, left minus right, gives -1 everywhere.
    assert learn.conv2d(X, [[[[1.0, -1.0]]]]).ravel().tolist() == [-1.0] * 12
    # With stride 2 and one zero around: the corners of each 2x2 window at (-1,-1), (-1,1), (1,-1), (1,1).
    out = learn.conv2d(X, np.ones((1, 1, 2, 2)), [100.0], stride=2, padding=1)
    assert out.tolist() == [[[[100, 103, 103], [112, 130, 118], [112, 127, 115]]]]


def test_pixels_of_a_photograph_do_not_wrap_around() -> None:
    pixels = np.full((1, 1, 2, 2), 200, np.uint8)
    assert learn.conv2d(pixels, np.ones((1, 1, 2, 2), np.int8)).item() == 800
    assert learn.avg_pool2d(pixels, 2).item() == 200


def test_what_is_learned_in_float32_stays_float32() -> None:
    assert learn.conv2d(X.astype(np.float32), np.ones((1, 1, 2, 2), np.float32)).dtype == np.float32


def test_a_volume_is_not_an_image_of_many_channels() -> None:
    volume = np.ones((1, 1, 5, 6, 7))
    assert learn.conv3d(volume, np.ones((2, 1, 3, 3, 3))).shape == (1, 2, 3, 4, 5)
    assert learn.conv2d(volume[:, 0], np.ones((2, 5, 3, 3))).shape == (1, 2, 4, 5)


def test_the_gradient_of_overlapping_windows_adds_up() -> None:
    pooling = learn.AvgPool2d(2, stride=1)
    pooling.forward(X)
    # The corners were in one window, the middle in four.
    expected = np.array([[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]) / 4
    assert pooling.backward(np.ones((1, 1, 3, 3)))[0, 0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: learn.conv2d(X[0], np.ones((1, 1, 2, 2))),
            r"x has shape \(1, 4, 4\); expected 4 axes, \(N, C, H, W\)",
        ),
        (lambda: learn.conv2d(X, np.ones((2, 2))), "weight has shape"),
        (lambda: learn.conv2d(X, np.ones((1, 3, 2, 2))), "for 3 input channels in 1 groups, but the input has 1"),
        (lambda: learn.conv2d(X, np.ones((1, 1, 5, 5))), "reaches over 5 × 5, but the padded input has only 4 × 4"),
        (lambda: learn.conv2d(X, np.ones((2, 1, 2, 2)), [1.0]), r"bias has shape \(1,\); expected \(2,\)"),
        (lambda: learn.conv2d(X, np.ones((1, 1, 2, 2)), stride=0), "stride is 0; expected an int of at least 1"),
        (lambda: learn.conv2d(X, np.ones((1, 1, 2, 2)), padding=(1, 1, 1)), "padding is"),
        (lambda: learn.conv2d(X, np.ones((2, 1, 2, 2)), groups=2), "groups is 2; expected a number that divides 1"),
        (lambda: learn.conv2d([["a"]], X), "no regular array of numbers"),
        (lambda: learn.conv3d(X, np.ones((1, 1, 2, 2, 2))), "expected 5 axes"),
        (lambda: learn.Conv2d(3, 4, 3, groups=2), "groups is 2"),
        (lambda: learn.Conv2d(0, 4, 3), "in_channels is 0"),
        (lambda: learn.max_pool2d(X, 2, padding=2), "at most half"),
        (lambda: learn.max_pool2d(X, 5), "reaches over"),
        (lambda: learn.affine([[1.0, 2.0]], [[1.0]]), "2 numbers an example"),
        (lambda: learn.affine([[1.0]], [[1.0]], [1.0, 2.0]), "bias has shape"),
        (lambda: learn.cross_entropy([[0.0, 1.0]], [2]), "labels go from 2 to 2; expected 0 to 1"),
        (lambda: learn.cross_entropy([[0.0, 1.0]], [-1]), "labels go from -1"),
        (lambda: learn.cross_entropy([[0.0, 1.0]], [0.5]), "expected ints"),
        (lambda: learn.cross_entropy([[0.0, 1.0]], [0, 1]), r"shape \(2,\); expected ints of shape \(1,\)"),
        (lambda: learn.cross_entropy(np.zeros((0, 2)), np.zeros(0, int)), "at least one"),
        (lambda: learn.ReLU().backward(X), "call forward"),
        (lambda: learn.CrossEntropy().backward(), "call forward"),
        (lambda: learn.SGD([], 0), "rate is 0"),
        (lambda: learn.SGD([], 0.1, momentum=1), "momentum is 1"),
        (lambda: learn.Adam([], betas=(0.9, 1)), "betas are"),
        (lambda: learn.SGD([learn.Affine(1, 1)]).step(), "no gradient for 'weight'"),
    ],
)
def test_bad_input_is_told(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_a_gradient_of_another_shape_is_refused() -> None:
    layer = learn.Conv2d(1, 2, 3)
    layer.forward(X)
    with pytest.raises(InputError, match=r"shape \(1, 2, 3, 3\); expected \(1, 2, 2, 2\)"):
        layer.backward(np.ones((1, 2, 3, 3)))


def test_weights_come_from_their_seed() -> None:
    first, second, other = (learn.Conv2d(8, 64, 3, seed=seed).parameters["weight"] for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first.std() == pytest.approx(np.sqrt(2 / 72), rel=0.03)  # He et al.
