"""Files, arrays and tensors of every odd kind: an InputError, soon and in little memory; or the right picture."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.pictures.files import shortened
from cnnwidgets.pictures.picture import load_picture
from cnnwidgets.pictures.preprocess import Preprocess
from tests.bounds import bounded

X = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Refusing(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("not with me")


def fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.rand(1, 3, 16, 16)


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with bounded(700_000, seconds=10):
        yield


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


TENSORS: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "meta": (lambda: X.to("meta"), "meta device"),
    "fake": (fake, "meta device"),
    "nested": (lambda: torch.nested.nested_tensor([X[0], X[0]]), "nested"),
    "jagged": (lambda: torch.nested.nested_tensor([X[0, 0], X[0, 0]], layout=torch.jagged), "nested"),
    "expanded": (lambda: torch.zeros(1, 3, 1, 1).expand(1, 3, 10**6, 10**6), "expanded from 3"),
    "many channels": (lambda: torch.zeros(1, 1, 1, 1).expand(1, 10**8, 8, 8), "expanded from 1"),
    "sparse": (lambda: X.to_sparse(), "to_dense"),
    "complex": (lambda: X.to(torch.complex64), "complex64"),
    "a class of its own": (lambda: X.as_subclass(Refusing), "not with me"),
}
TAKERS: dict[str, Callable[[Any], Any]] = {
    "load_picture": lambda tensor: load_picture(tensor, net()),
    "explore": lambda tensor: cw.explore(net(), tensor),
    "grad_cam": lambda tensor: cw.explainers.grad_cam(net(), tensor),
    "occlusion": lambda tensor: cw.explainers.occlusion(net(), tensor, patch=8, stride=8),
    "edited": lambda tensor: cw.incremental.Edited(net(), tensor),
    "overlay": lambda tensor: cw.HeatmapOverlay(None, tensor),
    "feature maps": lambda tensor: cw.FeatureMaps(tensor),
    "scores": lambda tensor: cw.ClassScores(tensor),
    "picture of an occluder": lambda tensor: cw.Occluder(tensor),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.filterwarnings("ignore")
def test_tensors_without_values_of_their_own_are_refused(kind: str, taker: str) -> None:
    make, words = TENSORS[kind]
    with pytest.raises(InputError) as caught:
        TAKERS[taker](make())
    message = str(caught.value)
    assert len(message) < 600
    assert words in message or "complex" in message or "expected" in message


@pytest.mark.parametrize("kind", ["nested", "expanded", "many channels", "a class of its own"])
@pytest.mark.filterwarnings("ignore")
def test_trace_refuses_what_torch_cannot_be_asked_about(kind: str) -> None:
    with pytest.raises(InputError, match=r"^example "):
        cw.trace(net(), TENSORS[kind][0]())


@pytest.mark.parametrize("example", ["cat.jpg", np.zeros((1, 3, 8, 8)), Image.new("RGB", (8, 8)), None, [1]])
def test_trace_says_what_it_takes(example: Any) -> None:
    with pytest.raises(InputError, match=r"torch\.zeros\(1, 3, 224, 224\), or pictures\.picture\.load_picture"):
        cw.trace(net(), example)


def test_tensors_with_a_past_are_read_as_they_are() -> None:
    grad = X.clone().requires_grad_() * 1.0
    negative = torch.imag(torch.complex(X, -X).conj())
    inference = torch.inference_mode()(lambda: X + 0)()
    for tensor in (grad, negative, inference, nn.Parameter(X), X.double()):
        assert torch.equal(load_picture(tensor).tensor, X)
    assert torch.allclose(load_picture(X.bfloat16()).tensor, X, atol=0.004)


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_tensor_is_dequantised_and_that_is_said() -> None:
    quantised = torch.quantize_per_tensor(X, 0.5, 0, torch.quint8)
    picture = load_picture(quantised)
    assert torch.equal(picture.tensor, quantised.dequantize())
    assert "dequantised" in picture.notes[0]
    maps = cw.FeatureMaps(quantised)
    assert "dequantised" in maps._pushed["maps"][0]["notes"][0]
    overlay = cw.HeatmapOverlay(None, quantised[0, 0])
    assert "dequantised" in overlay.notes[0]["text"]
    with pytest.raises(InputError, match="quint8"):
        cw.explainers.grad_cam(net(), quantised)


def test_numpy_arrays_that_are_larger_than_memory() -> None:
    with pytest.raises(InputError, match="a side may be 20,000"):
        load_picture(np.broadcast_to(np.uint8(0), (10**6, 10**6, 3)))
    for take in (cw.HeatmapOverlay, cw.Comparison, cw.Occluder):
        with pytest.raises(InputError, match="expanded from fewer values"):
            take(np.broadcast_to(np.uint8(0), (10**6, 10**6, 3)))


class NoArray:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ValueError("nothing in here")


def test_objects_whose_array_fails() -> None:
    for take in (load_picture, cw.FeatureMaps, cw.HeatmapOverlay, cw.Occluder, cw.ClassScores):
        with pytest.raises(InputError, match="NoArray"):
            take(NoArray())


def test_masked_arrays_are_not_read_through_their_mask() -> None:
    masked = np.ma.masked_equal(np.arange(64, dtype=np.uint8).reshape(8, 8), 3)
    with pytest.raises(InputError, match="1 masked"):
        load_picture(masked)
    assert load_picture(np.ma.masked_array(np.zeros((8, 8), np.uint8))).notes


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x" * 5000, "5,000 characters"),
        ("a/" * 2500 + "cat.jpg", "characters"),
        ("with\0nul.png", "null byte"),
        ("\udcff\udcfe.png", "No image file"),
        ("new\nline\x1b[31m.png", r"\\x1b"),
        ("", "folder"),
        ("/", "folder"),
        ("/dev/zero", "pipe or a device"),
        ("/dev/null", "pipe or a device"),
        ("~nobody-at-all/x.png", "not a path"),
        ("https://example.org/cat.jpg", "web address"),
        ("file:///tmp/cat.jpg", "web address"),
        ("data:image/png;base64,AAAA" + "A" * 5000, "web address"),
    ],
)
def test_paths_that_are_none(path: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_picture(path)
    assert len(str(caught.value)) < 500
    str(caught.value).encode()  # can be sent to a page


def test_path_likes_that_fail() -> None:
    class Odd(os.PathLike):  # type: ignore[type-arg]
        def __fspath__(self) -> str:
            raise KeyError("gone")

    with pytest.raises(InputError, match="gives no path"):
        load_picture(Odd())


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="pipe"):
        load_picture(tmp_path / "pipe.png")


@pytest.mark.parametrize("size", [8 * 10**9, 400 * 10**6])
def test_a_large_sparse_file_is_not_read(tmp_path: Path, size: int) -> None:
    with (tmp_path / "large.png").open("wb") as stream:
        stream.truncate(size)
    with pytest.raises(InputError, match=r"8,000 MB|not an image"):
        load_picture(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n", "drawing (PostScript)"),
        (b"\xc5\xd0\xd3\xc6" + bytes(40), "drawing (PostScript)"),
        (b"%PDF-1.7\n", "drawing (PDF)"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "drawing (SVG)"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "drawing (Windows metafile)"),
        (b"", "empty"),
        (b"hello", "is not an image that Pillow can read"),
        (b"\1\2\3" * 1000, "is not an image that Pillow can read"),
    ],
)
def test_drawings_and_other_files_are_named(tmp_path: Path, content: bytes, words: str, monkeypatch: Any) -> None:
    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("another program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr("os.system", started)
    (tmp_path / "file.png").write_bytes(content)
    for source in (content, tmp_path / "file.png"):
        with pytest.raises(InputError) as caught:
            load_picture(source)
        assert words in str(caught.value)


def test_an_eps_image_that_is_open_already(tmp_path: Path) -> None:
    (tmp_path / "x.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n")
    with Image.open(tmp_path / "x.eps") as drawing, pytest.raises(InputError, match="drawing"):
        load_picture(drawing)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_a_closed_image_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(encoded(Image.new("RGB", (9, 9)), "PNG"))
    opened = Image.open(tmp_path / "x.png")
    opened.close()
    with pytest.raises(InputError, match=r"closed|damaged"):
        load_picture(opened)


def test_a_decompression_bomb_and_a_file_cut_short() -> None:
    bomb = encoded(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(bomb) < 30_000
    with pytest.raises(InputError, match="decompression bomb"):
        load_picture(bomb)
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "PNG")
    with pytest.raises(InputError, match="damaged"):
        load_picture(whole[:2000])


def test_animations_are_read_from_a_path_too(tmp_path: Path) -> None:
    frames = [Image.new("L", (9, 9), level) for level in (0, 128, 255)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert "The file holds 3 frames; this is frame 1." in load_picture(tmp_path / "x.gif").notes


def same(value: float) -> Any:
    return pytest.approx(value, abs=0.6)


def plain(image: Any) -> tuple[int, int, tuple[str, ...]]:
    """The brightest level of the pixels, the network's input as a level, and the notes."""
    transform: Any = Preprocess(mean=(0.0,), std=(1.0,))
    picture = load_picture(image, preprocess=transform)
    return int(picture.pixels.max()), float(picture.tensor.max()) * 255, picture.notes


@pytest.mark.parametrize(
    ("highest", "bits"), [(1, 1), (200, 8), (1023, 10), (4095, 12), (4000, 12), (16383, 14), (65535, 16), (20000, 16)]
)
def test_16_bit_pictures_are_read_by_the_bits_that_they_use(highest: int, bits: int) -> None:
    step = np.zeros((20, 20), np.uint16)
    step[:, 10:] = highest
    white = 2**bits - 1
    opened = Image.fromarray(step)
    for source in (step, opened, encoded(opened, "PNG"), encoded(opened, "TIFF")):
        pixel, network, notes = plain(source)
        assert pixel == same(255 * highest / white)
        assert network == same(255 * highest / white), "the network sees what the reader sees"
        told = [note for note in notes if f"reach {highest:,} of 65,535" in note]
        assert len(told) == (bits < 16)
        assert not told or f"read as {bits} bit" in told[0]


def tiff(levels: Any) -> bytes:
    """An uncompressed TIFF of 16 bits a channel in colour, which Pillow cannot write."""
    height, width, _ = levels.shape
    data = levels.astype("<u2").tobytes()
    entries = {256: width, 257: height, 259: 1, 262: 2, 273: 16, 277: 3, 278: height, 279: len(data)}
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items()]
    rows.insert(2, struct.pack("<HHII", 258, 3, 3, 8))
    head = struct.pack("<2sHI3HH", b"II", 42, 16 + len(data), 16, 16, 16, 0)
    return head + data + struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", 0)


def test_16_bit_colours_of_few_bits_are_told() -> None:
    twelve = load_picture(tiff(np.full((8, 8, 3), 4095, np.uint16))).notes
    assert any("upper 8: the values reach only 15 of 255" in note for note in twelve)
    sixteen = load_picture(tiff(np.full((8, 8, 3), 65535, np.uint16))).notes
    assert not any("upper 8" in note for note in sixteen)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.uint32, np.int8])
def test_signed_and_wide_whole_numbers_say_how_to_pass_them(kind: Any) -> None:
    scan = np.array([[-100, 0, 50, 100]] * 4, np.int64).clip(0 if kind == np.uint32 else -100).astype(kind)
    with pytest.raises(InputError, match=r"(array - black)|astype\(np\.uint8\)"):
        load_picture(scan)


def test_cmyk_and_masks() -> None:
    pixel, _, notes = plain(Image.new("CMYK", (8, 8), (0, 0, 0, 0)))
    assert pixel == 255
    assert any("CMYK" in note for note in notes)
    assert plain(np.ones((8, 8), dtype=bool))[0] == 255


def test_exif_that_cannot_be_read_does_not_matter() -> None:
    content = encoded(Image.new("RGB", (8, 6), "red"), "JPEG", exif=b"Exif\0\0" + b"garbage that is no TIFF header")
    red = load_picture(content).pixels
    assert red.shape == (6, 6, 3)
    assert red[..., 0].min() > 240


def test_class_names_of_every_kind() -> None:
    assert class_names(np.array(["cat", "dog"])) == ["cat", "dog"]
    assert class_names(name for name in ("cat", "dog")) == ["cat", "dog"]
    assert class_names({"1": "dog", "0": "cat"}) == ["cat", "dog"]
    assert class_names([b"cat", 3]) == ["cat", "3"]
    for labels, words in (
        ({"cat", "dog"}, "no order"),
        ({"cat": 0}, "Turn it round"),
        ("cat", "sequence"),
        (7, "sequence"),
    ):
        with pytest.raises(InputError, match=words):
            class_names(labels)
    with pytest.raises(InputError, match="more than 1,000,000"):
        class_names(iter(int, 1))


def test_long_texts_are_shortened() -> None:
    assert shortened("cat.png") == "'cat.png'"
    assert len(shortened("\0" * 10**6)) < 500


def test_a_tensor_whose_memory_was_given_away() -> None:
    tensor = torch.zeros(1, 1, 16, 16)
    tensor.untyped_storage().resize_(0)
    net = torch.nn.Conv2d(1, 2, 3)
    for taker in (cw.explore, cw.trace, cw.explainers.occlusion):
        with pytest.raises(InputError, match="given its memory away"):
            taker(net, tensor)


@pytest.mark.parametrize("options", [{"stride": 10**40}, {"fill": 10**400}, {"fill": 1e300}])
def test_numbers_beyond_all_images(options: dict[str, Any]) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten())
    with pytest.raises(InputError, match=r"larger than any image|expected a number|expected finite"):
        cw.explainers.occlusion(net, torch.zeros(1, 1, 16, 16), 0, **options)


def test_trace_of_an_image_without_values_says_so() -> None:
    with pytest.raises(InputError, match="meta device"):
        cw.trace(nn.Sequential(nn.Conv2d(3, 2, 3)), torch.zeros(1, 3, 8, 8, device="meta"))
