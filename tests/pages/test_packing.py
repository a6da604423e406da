"""Three digits are kept where three digits are shown, and everything where more is."""

from __future__ import annotations

import numpy as np
import pytest

from cnnwidgets.pages.packing import Arrays, as_text, coarse_levels, decimal_codes
from tests.pages.unpacked import Unpacked, decimal, seven_bits


def page(arrays: Arrays, pushes: list[dict[str, object]]) -> Unpacked:
    content = {"story": {}, "pushes": pushes, "widgets": {"w": {"base": {}, "shots": {"0": {"pushes": {"k": 0}}}}}}
    return Unpacked(f'<script id="cnnw-recording">{arrays.payload(content)}</script>')


@pytest.mark.parametrize("digits", [2, 3])
def test_codes_have_the_digits_that_python_prints(digits: int) -> None:
    random = np.random.default_rng(0)
    values = (random.standard_normal(4000) * 10.0 ** random.uniform(-20, 0, 4000)).astype(np.float32)
    values = np.clip(values, -9.9, 9.9)
    values[:4] = 0, 9.985, -0.000999999, 1.0
    codes, exponent = decimal_codes(values, digits)
    for value, code in zip(values.tolist(), codes.tolist(), strict=True):
        expected = f"{value:.{digits - 1}e}"
        assert f"{decimal(code, exponent, digits):.{digits - 1}e}" == (expected if value else expected.strip("-"))


def test_a_tie_falls_as_it_does_in_the_page() -> None:
    # JavaScript's toFixed and toPrecision take the larger of two that are as near.
    codes, exponent = decimal_codes(np.float32([1.125, 2.375, -4.625]), 3)
    assert [decimal(code, exponent, 3) for code in codes.tolist()] == [1.13, 2.38, -4.63]


@pytest.mark.parametrize("values", [[10.0], [np.nan, 1], [np.inf], [1e-38, 1.0], [9.999]])
def test_what_three_digits_would_not_tell_is_kept_whole(values: list[float]) -> None:
    assert decimal_codes(np.float32(values), 3) is None


def test_arrays_come_back_bit_for_bit() -> None:
    arrays = Arrays()
    random = np.random.default_rng(1)
    given = [
        random.standard_normal((3, 5)).astype(np.float32),
        np.float32([np.nan, -np.inf, 1e-45, 0]),
        random.integers(0, 256, (4, 2, 3), dtype=np.uint8),
        random.integers(-9, 9, 7, dtype=np.int32),
        np.zeros(0, np.float32),
    ]
    entries = [
        {"name": str(i), "dtype": a.dtype.name, "shape": list(a.shape), "parts": arrays.add(a)}
        for i, a in enumerate(given[:4])
    ]
    assert arrays.add(given[0]) == entries[0]["parts"]  # the same again costs nothing
    unpacked = page(arrays, [{"arrays": entries}])
    for i, array in enumerate(given[:4]):
        back = unpacked.array("w", "0", "k", str(i))
        assert back.dtype == array.dtype
        assert back.tobytes() == array.tobytes()


def test_pixels_come_back_from_differences() -> None:
    arrays, pixels = Arrays(), np.random.default_rng(2).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    entry = {"name": "pixels", "dtype": "uint8", "shape": [5, 7, 3], "parts": arrays.add(pixels, stride=3)}
    np.testing.assert_array_equal(page(arrays, [{"arrays": [entry]}]).array("w", "0", "k", "pixels"), pixels)


@pytest.mark.parametrize("length", range(8, 16))
def test_bytes_come_back_from_text_that_html_keeps(length: int) -> None:
    blob = bytes([0, 27, 13, 54, 240, 60, 120, 1, *range(256)])[:length] + bytes(range(256))
    text = as_text(blob)
    assert not set("\0\r<") & set(text)
    assert seven_bits(text) == blob
    assert len(text.encode()) < 1.2 * len(blob)


def test_coarse_levels_leave_the_histogram_as_it_is() -> None:
    levels = np.arange(256, dtype=np.uint8)
    coarse = coarse_levels(levels)
    assert (coarse[:255] // 5 == levels[:255] // 5).all()
    assert np.abs(coarse.astype(int) - levels).max() == 2
    assert coarse[[0, 254, 255]].tolist() == [0, 254, 255]


def test_a_piece_of_an_array_is_kept_once() -> None:
    arrays = Arrays()
    (own,) = arrays.add(np.arange(6, dtype=np.float32))
    assert arrays.add(np.arange(10, dtype=np.float32), [6]) == [own, own + 1]
    assert [header["count"] for header in arrays.headers] == [6, 4]
