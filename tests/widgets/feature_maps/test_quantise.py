"""Quantised maps, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cnnwidgets.widgets.feature_maps.quantise import Quantised, quantise


def restored(done: Quantised) -> npt.NDArray[np.float64]:
    low = done.minimum.astype(float)[:, None, None]
    high = done.maximum.astype(float)[:, None, None]
    values: npt.NDArray[np.float64] = low + done.values / 254 * (high - low)
    return values


def test_levels_minimum_maximum_mean_and_zeros_by_hand() -> None:
    done = quantise(np.array([[[-2.0, 0.0], [0.0, 2.0]], [[1.0, 2.0], [3.0, 255.0]]]))
    assert done.values.tolist() == [[[0, 127], [127, 254]], [[0, 1], [2, 254]]]
    assert done.minimum.tolist() == [-2.0, 1.0]
    assert done.maximum.tolist() == [2.0, 255.0]
    assert done.mean.tolist() == [0.0, 65.25]
    assert done.zeros.tolist() == [0.5, 0.0]
    assert done.not_finite == 0
    assert {array.dtype for array in (done.minimum, done.maximum, done.mean, done.zeros)} == {np.dtype(np.float32)}


def test_a_constant_map_is_flat() -> None:
    done = quantise(np.stack([np.zeros((3, 3)), np.full((3, 3), 1.5), np.full((3, 3), -7.0)]))
    assert not done.values.any()
    assert done.minimum.tolist() == done.maximum.tolist() == done.mean.tolist() == [0.0, 1.5, -7.0]
    assert done.zeros.tolist() == [1.0, 0.0, 0.0]


def test_what_is_not_finite_is_marked_and_counted_and_left_out_of_the_numbers() -> None:
    maps = np.array([[[0.0, np.nan], [np.inf, 4.0]], [[np.nan, np.nan], [-np.inf, np.nan]], [[0.0, 1.0], [1.0, 2.0]]])
    done = quantise(maps)
    assert done.values.tolist() == [[[0, 255], [255, 254]], [[255, 255], [255, 255]], [[0, 127], [127, 254]]]
    assert done.not_finite == 6
    assert (done.minimum[0], done.maximum[0], done.mean[0]) == (0.0, 4.0, 2.0)
    assert np.isnan([done.minimum[1], done.maximum[1], done.mean[1]]).all()
    assert done.zeros.tolist() == [0.25, 0.0, 0.25]


def test_a_range_beyond_float32_and_one_of_its_smallest_steps() -> None:
    large = quantise(np.array([[[-3e38, 0.0, 3e38]]], dtype=np.float32))
    assert large.values.tolist() == [[[0, 127, 254]]]
    assert large.mean[0] == 0
    tiny = quantise(np.array([[[0.0, 1e-44]]], dtype=np.float32))
    assert tiny.values.tolist() == [[[0, 254]]]
    assert (large.not_finite, tiny.not_finite) == (0, 0)


def test_a_small_range_far_from_zero_keeps_its_levels() -> None:
    start = np.float32(1000)
    step = np.spacing(start)
    done = quantise((start + step * np.arange(255, dtype=np.float32)).reshape(1, 15, 17))
    assert done.values.ravel().tolist() == list(range(255))


def test_float64_beyond_float32_counts_as_infinite() -> None:
    done = quantise(np.array([[[1e300, 1.0, 2.0]]]))
    assert done.values.tolist() == [[[255, 0, 254]]]
    assert done.not_finite == 1


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.int8, np.bool_, np.uint8])
def test_any_real_dtype(dtype: type) -> None:
    done = quantise(np.array([[[0, 1], [1, 0]]]).astype(dtype))
    assert done.values.tolist() == [[[0, 254], [254, 0]]]
    assert (done.minimum[0], done.maximum[0], done.mean[0], done.zeros[0]) == (0.0, 1.0, 0.5, 0.5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 7), (3, 1, 40), (2, 33, 9)])
def test_restored_values_are_within_half_a_level(shape: tuple[int, ...]) -> None:
    maps = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    done = quantise(maps)
    half = (done.maximum - done.minimum)[:, None, None] / 508
    assert (np.abs(restored(done) - maps) <= half * 1.001 + 1e-6).all()
    np.testing.assert_allclose(done.mean, maps.astype(float).mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_the_maps_given_are_left_alone_also_when_strided() -> None:
    maps = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    seen = quantise(maps[:, ::-1, ::2])
    assert maps.ravel().tolist() == list(range(24))
    assert seen.values[0].tolist() == [[203, 254], [102, 152], [0, 51]]
