from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torch import nn
from torchvision import models, transforms
from torchvision.transforms import v2

from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.picture import load_picture

CROPPED = [transforms.CenterCrop(8), transforms.ToTensor()]
RGB = np.random.default_rng(3).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def _centre(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The square that an unknown network is given of a 12x10 picture."""
    return rows[1:11]


def _file(image: Image.Image, kind: str = "png", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_every_way_in_gives_the_same_pixels(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    image.save(tmp_path / "photo.png")
    opaque = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    ways = [
        image, tmp_path / "photo.png", str(tmp_path / "photo.png"), _file(image), RGB, opaque,
        RGB.astype(np.uint16) * 257, RGB.astype(np.float32) / 255, RGB[:, ::-1][:, ::-1],
    ]  # fmt: skip
    for way in ways:
        picture = load_picture(way)
        np.testing.assert_array_equal(picture.pixels, _centre(RGB))
        expected = torch.from_numpy(_centre(RGB)).permute(2, 0, 1) / 255 - torch.tensor(
            [[[0.485]], [[0.456]], [[0.406]]]
        )
        torch.testing.assert_close(
            picture.tensor[0], expected / torch.tensor([[[0.229]], [[0.224]], [[0.225]]]), atol=1e-6, rtol=0
        )
    assert load_picture(tmp_path / "photo.png").name == "photo.png"
    assert load_picture(Image.open(tmp_path / "photo.png")).name == "photo.png"
    assert load_picture(RGB).name == "image"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4, :4], upright[:4, 4:], upright[4:, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    as_stored = {  # the EXIF standard: where row 0 and column 0 of what is stored lie in the picture
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(as_stored[orientation]))
    np.testing.assert_array_equal(load_picture(_file(stored, exif=exif)).pixels, upright)


def _grey(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.repeat(rows[:, :, None], 3, 2)


def test_modes() -> None:
    ramp = np.arange(100, dtype=np.uint8).reshape(10, 10)
    alpha = np.full((10, 10), 51, np.uint8)  # a fifth
    on_white = np.rint(ramp * 0.2 + 255 * 0.8)
    deep = ramp.astype(np.uint16) * 257
    cmyk = np.zeros((10, 10, 4), np.uint8)
    cmyk[..., 0] = 255
    palette = Image.fromarray(ramp % 2).convert("P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    clear = palette.copy()
    clear.info["transparency"] = 1

    def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
        return load_picture(image).pixels.astype(int)

    np.testing.assert_array_equal(pixels(Image.fromarray(ramp)), _grey(ramp))
    np.testing.assert_allclose(pixels(Image.fromarray(np.dstack([ramp, alpha]), "LA")), _grey(on_white), atol=1)
    rgba = Image.fromarray(np.dstack([ramp, ramp, ramp, alpha]))
    np.testing.assert_allclose(pixels(rgba), _grey(on_white), atol=1)
    np.testing.assert_array_equal(pixels(Image.fromarray(deep)), _grey(ramp))
    np.testing.assert_array_equal(pixels(Image.open(io.BytesIO(_file(Image.fromarray(deep))))), _grey(ramp))
    np.testing.assert_array_equal(pixels(Image.fromarray(deep.astype(np.int32))), _grey(ramp))
    np.testing.assert_array_equal(pixels(Image.fromarray(ramp.astype(np.float32) / 255)), _grey(ramp))
    np.testing.assert_array_equal(pixels(Image.fromarray(cmyk, "CMYK"))[0, 0], [0, 255, 255])
    np.testing.assert_array_equal(pixels(Image.fromarray(ramp > 49)), _grey((ramp > 49) * 255))
    np.testing.assert_array_equal(pixels(palette)[0, :2], [[255, 0, 0], [0, 0, 255]])
    np.testing.assert_array_equal(pixels(clear)[0, :2], [[255, 0, 0], [255, 255, 255]])


def test_what_was_decided_on_the_way_is_noted() -> None:
    clear = Image.fromarray(np.zeros((10, 10, 4), np.uint8))
    assert any("on white" in note for note in load_picture(clear).notes)
    frames = _file(clear.convert("P"), "gif", save_all=True, append_images=[Image.new("L", (10, 10), 200)])
    assert any("2 frames" in note for note in load_picture(frames).notes)
    assert any("pass preprocess=" in note for note in load_picture(RGB, nn.Conv2d(3, 2, 3)).notes)
    values = RGB / 255.0
    values[2, 3, 0] = np.nan
    assert any("1 of 360 values are NaN" in note for note in load_picture(values).notes)


def test_grey_networks_get_one_channel() -> None:
    picture = load_picture(Image.fromarray(RGB[..., 0]), nn.Conv2d(1, 2, 3))
    torch.testing.assert_close(picture.tensor[0, 0], torch.from_numpy(_centre(RGB[..., 0])) / 255)
    np.testing.assert_array_equal(picture.pixels, _grey(_centre(RGB[..., 0])))
    given = load_picture(RGB[..., 0], nn.Conv2d(1, 2, 3), transforms.ToTensor())
    assert given.tensor.shape == (1, 1, 12, 10)


@pytest.mark.parametrize(
    "preprocess",
    [
        transforms.Compose([*CROPPED, transforms.Normalize([0.2, 0.5, 0.7], [0.1, 0.2, 0.3])]),
        v2.Compose([v2.CenterCrop(8), v2.ToImage(), v2.ToDtype(torch.float32, True), v2.Normalize([0.5], [0.25])]),
        transforms.Compose([transforms.Compose(CROPPED), transforms.Normalize(0.5, 0.5)]),
        transforms.Compose(CROPPED),
    ],
    ids=["v1", "v2", "nested", "unnormalised"],
)  # fmt: skip
def test_pixels_are_what_a_callers_transform_leaves_to_see(preprocess: Any) -> None:
    picture = load_picture(RGB, preprocess=preprocess)
    torch.testing.assert_close(picture.tensor[0], preprocess(Image.fromarray(RGB)).as_subclass(torch.Tensor))
    np.testing.assert_array_equal(picture.pixels, RGB[2:10, 1:9])
    assert picture.notes == ()


def test_weights_are_accepted_as_preprocess() -> None:
    weights = models.ResNet18_Weights.IMAGENET1K_V1
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    picture = load_picture(photo, preprocess=weights)
    torch.testing.assert_close(picture.tensor[0], weights.transforms()(photo), atol=1e-6, rtol=0)
    scaled = np.asarray(photo.resize((341, 256), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(picture.pixels, scaled[16:240, 58:282])


def test_a_tensor_of_unknown_normalisation_is_shown_as_colours_or_as_imagenets_and_says_so() -> None:
    plain = torch.from_numpy(RGB).permute(2, 0, 1)[None] / 255
    picture = load_picture(plain, nn.Conv2d(3, 2, 3))
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.notes == ()
    normalised = (plain - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    picture = load_picture(normalised)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert any("as if it were ImageNet's" in note for note in picture.notes)


def test_an_unknown_normalisation_is_shown_stretched_and_says_so() -> None:
    values = torch.linspace(-3, 5, 64).reshape(1, 1, 8, 8)
    picture = load_picture(values)
    assert any("stretched" in note for note in picture.notes)
    np.testing.assert_array_equal(picture.pixels, _grey(np.rint(np.linspace(0, 255, 64)).reshape(8, 8)))


def test_a_tensor_is_taken_as_it_is_and_copied() -> None:
    for dtype in (torch.float32, torch.float64, torch.float16):
        given = torch.linspace(0, 1, 192, dtype=dtype).reshape(1, 3, 8, 8).requires_grad_()
        picture = load_picture(given, nn.Conv2d(3, 1, 3))
        torch.testing.assert_close(picture.tensor, given.detach().float())
        assert not picture.tensor.requires_grad
        picture.tensor.zero_()
        assert given.max() == 1


def test_a_tensor_for_a_known_network_is_shown_in_true_colours() -> None:
    net = models.squeezenet1_1()
    photo = load_picture(np.tile(RGB, (30, 30, 1)), net)
    np.testing.assert_array_equal(load_picture(photo.tensor, net).pixels, photo.pixels)


def test_not_finite_values_in_a_tensor_stay_and_are_noted() -> None:
    given = torch.full((1, 3, 6, 6), 0.5)
    given[0, 1, 2, 3], given[0, 0, 0, 0] = torch.nan, torch.inf
    picture = load_picture(given)
    assert any("2 of 108 input values are NaN or infinite" in note for note in picture.notes)
    assert picture.tensor[0, 1, 2, 3].isnan()
    np.testing.assert_array_equal(picture.pixels[5, 5], [128, 128, 128])
    assert load_picture(torch.full((1, 3, 6, 6), torch.nan)).pixels.max() == 0


def _header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


_WHOLE = _file(Image.fromarray(np.tile(RGB, (8, 8, 1))))
_BAD: list[tuple[Any, str]] = [
    (b"", r"empty \(0 bytes\)"),
    (b"<html>not found</html>", "not an image that Pillow can read"),
    (_WHOLE[: len(_WHOLE) // 2], "damaged or cut short"),
    (_file(Image.fromarray(np.tile(RGB, (8, 8, 1))), "jpeg")[:900], "damaged or cut short"),
    (Image.new("RGB", (1, 1)), "1x1 pixels; expected at least 4x4"),
    (_file(Image.new("RGB", (1, 1))), "1x1 pixels"),
    (_header(40_000, 10), "40,000x10 pixels; a side may be 20,000"),
    (_header(10_000, 9_000), "bomb"),
    (_header(19_000, 19_000), "too large to be safe"),
    ("/nowhere/photo.png", "No image file '/nowhere/photo.png'"),
    ("bad\0name.png", "No image file|not a path"),
    ("x" * 5000, "not a path|No image"),
    ("https://example.org/cat.png", "is a web address"),
    (Path(__file__).parent, "is a folder"),
    (None, "Got a NoneType as image"),
    ([1, 2], "Got a list as image"),
    (np.zeros((0, 5, 3), np.uint8), r"empty \(0x5x3\)"),
    (np.zeros((5, 5, 3), object), "dtype is object"),
    (np.zeros((5, 5, 3), np.int64), "dtype is int64; expected uint8.*astype"),
    (np.full((5, 5, 3), 200.0), r"expected in \[0, 1\]. Divide by 255"),
    (np.zeros((3, 8, 8), np.uint8), r"channels first.*transpose\(1, 2, 0\)"),
    (np.zeros((5, 5, 2), np.uint8), r"5x5x2; expected \(H, W\)"),
    (np.zeros(5, np.uint8), r"is 5; expected"),
    (np.zeros((2, 5, 5, 3), np.uint8), r"array of 2 images"),
    (np.zeros((20_001, 4), np.uint8), "4x20,001 pixels; a side"),
    (torch.zeros(8, 8), r"shape \(8, 8\); expected \(1, C, H, W\)"),
    (torch.zeros(2, 3, 8, 8), r"holds 2 images.*tensor\[:1\]"),
    (torch.zeros(0, 3, 8, 8), "is empty"),
    (torch.zeros(1, 3, 0, 8), "is empty"),
    (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "is uint8.*must be float"),
    (torch.zeros(1, 3, 1, 1), "1x1 pixels"),
    (torch.zeros(8), r"shape \(8,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), _BAD, ids=[message for _, message in _BAD])
@pytest.mark.parametrize("warnings_are", ["default", "error"])
def test_what_cannot_be_used_says_why(given: Any, message: str, warnings_are: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if warnings_are == "default" else "error")
        before = warnings.filters[:], Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        with pytest.raises(InputError, match=f"(?s){message}|bomb" if message == "bomb" else f"(?s){message}"):
            load_picture(given)
        assert before == (warnings.filters[:], Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_a_channel_mismatch_says_both_numbers() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(InputError, match=r"has 1 channel; the network's first convolution takes 3.*\(1, 3, H, W\)"):
        load_picture(torch.zeros(1, 1, 8, 8), net)
    five = nn.Sequential(nn.Dropout(), nn.Conv2d(5, 4, 3))
    with pytest.raises(InputError, match="has 3 channels; the network's first convolution takes 5"):
        load_picture(RGB, five)
    assert five[0].training
    assert not five[1]._forward_hooks


def test_a_network_that_makes_its_own_channels_is_believed() -> None:
    class Repeats(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.conv(x.repeat(1, 3, 1, 1)).mean((2, 3))
            return out

    assert load_picture(torch.zeros(1, 1, 8, 8), Repeats()).tensor.shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        (lambda pil: np.asarray(pil), "returned a ndarray; expected a tensor"),
        (lambda _: 1 / 0, "preprocess raised ZeroDivisionError"),
        (lambda _: torch.zeros(2, 3, 8, 8), "holds 2 images"),
        (transforms.PILToTensor(), "is uint8"),
        (models.ResNet18_Weights, "expected a function"),
        ("imagenet", "expected a function"),
    ],
)
def test_a_preprocess_that_does_not_work_says_why(preprocess: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_picture(RGB, preprocess=preprocess)
