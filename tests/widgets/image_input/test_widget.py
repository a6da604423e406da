"""ImageInput in Python: what each edit does to each pixel, where images come from, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

from cnnwidgets import ImageInput, InputError
from cnnwidgets.widgets._still.publish import newest_push, still_png
from cnnwidgets.widgets.image_input.edits import edited
from tests.widgets.parity import python_keys, typescript_keys

# Each pixel has a colour of its own.
PIXELS = np.arange(10 * 20 * 3).reshape(10, 20, 3).astype(np.uint8)


def file_of(kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


def test_traits_are_those_of_the_page() -> None:
    assert python_keys(ImageInput) == typescript_keys("ImageInputState")


def test_each_edit() -> None:
    assert np.array_equal(edited(PIXELS, [{"op": "crop", "box": [0.2, 0.5, 0.8, 1]}]), PIXELS[2:8, 10:])
    left = edited(PIXELS, [{"op": "rotate", "degrees": 90}])
    assert left.shape == (20, 10, 3)
    assert np.array_equal(left[0, 0], PIXELS[0, -1]), "against the clock: right above comes left above"
    assert np.array_equal(edited(left, [{"op": "rotate", "degrees": -90}]), PIXELS)
    slanted = edited(np.full((20, 20, 3), 200, np.uint8), [{"op": "rotate", "degrees": 45}])
    assert slanted.shape[0] >= 28
    assert (slanted[0, 0].tolist(), slanted[14, 14].tolist()) == ([0, 0, 0], [200, 200, 200])
    bright = edited(PIXELS, [{"op": "brightness", "amount": 0.2}])
    assert np.array_equal(bright, np.minimum(PIXELS.astype(int) + 51, 255))
    assert not edited(PIXELS, [{"op": "brightness", "amount": -1}]).any()
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy, again, other = (edited(grey, [{"op": "noise", "amount": 0.1, "seed": seed}]) for seed in (3, 3, 4))
    assert np.array_equal(noisy, again)
    assert not np.array_equal(noisy, other)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert noisy.std() == pytest.approx(25.5, rel=0.02)
    line = {"op": "draw", "points": [[0.5, 0.1], [0.5, 0.9]], "width": 0.1, "color": "#ff0080"}
    drawn = edited(np.zeros((50, 100, 3), np.uint8), [line])
    assert drawn[25, 50].tolist() == [255, 0, 128]
    assert not drawn[:15].any()
    assert not drawn[35:].any()
    assert 700 < drawn.any(2).sum() < 1100  # 80 x 10, and its ends


def test_edits_are_applied_in_turn_and_undone_one_by_one() -> None:
    picker, seen = ImageInput(PIXELS), []
    picker.on_image(lambda image: seen.append(image.copy()))
    crop, turn = {"op": "crop", "box": [0, 0, 1, 0.5]}, {"op": "rotate", "degrees": 180}
    picker.edits = [crop]
    picker.edits = [crop, turn]
    assert np.array_equal(picker.image, PIXELS[:, :10][::-1, ::-1])
    assert picker.sides == [10, 10]
    assert np.array_equal(newest_push(picker, "picture").arrays["pixels"], picker.image)
    picker.edits = [crop]
    growing = [crop]
    picker.edits = growing
    growing.append(turn)
    picker.edits = growing
    assert np.array_equal(picker.image, PIXELS[:, :10][::-1, ::-1]), "the list that grew"
    picker.edits = []
    assert np.array_equal(picker.image, PIXELS)
    assert [image.shape[1] for image in seen] == [10, 10, 10, 10, 20]
    assert np.array_equal(PIXELS, np.arange(600).reshape(10, 20, 3).astype(np.uint8)), "nobody wrote into it"


@pytest.mark.parametrize(
    "edit",
    [
        "crop",
        {"op": "blur"},
        {"op": ["crop"]},
        {"op": "crop"},
        {"op": "crop", "box": [0, 0, 2, 1]},
        {"op": "crop", "box": [0.5, 0.5, 0.4, 1]},
        {"op": "crop", "box": [0, 0, 0.2, 1]},  # 2 rows
        {"op": "rotate", "degrees": "90"},
        {"op": "rotate", "degrees": 1e9},
        {"op": "brightness", "amount": float("nan")},
        {"op": "noise", "amount": -1},
        {"op": "noise", "amount": 0.1, "seed": 0.5},
        {"op": "draw", "points": []},
        {"op": "draw", "points": [[0, 0, 0]]},
        {"op": "draw", "points": [[0, 0]], "color": "red"},
    ],
)
def test_what_is_no_edit_is_refused_and_nothing_changes(edit: Any) -> None:
    picker = ImageInput(PIXELS, edits=[{"op": "rotate", "degrees": 90}])
    before = picker.image
    with pytest.raises((InputError, traitlets.TraitError)):
        picker.edits = [edit]
    assert picker.edits == [{"op": "rotate", "degrees": 90}]
    assert picker.image is before


@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "webp", "tiff", "jpeg"])
def test_files_of_several_formats(kind: str, tmp_path: Any) -> None:
    picker = ImageInput(np.zeros((5, 5), np.uint8))
    options = {"lossless": True} if kind == "webp" else {}
    picker._receive(None, {"op": "upload", "name": f"a.{kind}"}, [memoryview(file_of(kind, **options))])
    assert (picker.error, picker.name, picker.sides) == ("", f"a.{kind}", [10, 20])
    if kind not in ("gif", "jpeg"):
        assert np.array_equal(picker.image, PIXELS)
    file = tmp_path / f"b.{kind}"
    file.write_bytes(file_of(kind, **options))
    picker.image = file
    assert picker.name == f"b.{kind}"


def test_what_is_no_image_is_refused_and_what_was_there_stays() -> None:
    picker = ImageInput(PIXELS, name="mine")
    for content in (b"", b"not an image", file_of("png")[:60]):
        picker._receive(None, {"op": "upload", "name": "x.png"}, [memoryview(content)])
        assert picker.error.startswith("x.png: ")
        assert (picker.name, picker.image.shape) == ("mine", (10, 20, 3))
    picker._receive(None, {"op": "upload", "name": "y.png"}, [memoryview(file_of("png"))])
    assert (picker.error, picker.name) == ("", "y.png")
    for wrong in (3, "no file.png", np.zeros((2, 2, 3)), [[1.0]]):
        with pytest.raises(InputError):
            picker.image = wrong
    assert picker.name == "y.png"
    with pytest.raises(InputError, match="There is no sample 'lena'; there are: chelsea"):
        ImageInput(sample="lena")


def test_samples_and_what_was_shrunk_or_transparent() -> None:
    picker = ImageInput(samples={"large": np.zeros((3000, 1500), np.uint8), "clear": Image.new("RGBA", (8, 8))})
    assert (picker.sample, picker.name, picker.sides) == ("large", "large", [1024, 512])
    assert picker.notes == ["The image of 3000 × 1500 pixels is used at 1024 × 512."]
    assert max(newest_push(picker, "picture").arrays["pixels"].shape) == 512
    images = []
    picker.on_image(images.append)
    picker.sample = "clear"
    assert (picker.image == 255).all()
    assert "on white" in picker.notes[0]
    picker.edits = [{"op": "brightness", "amount": -0.5}]
    picker._receive(None, {"op": "sample", "name": "clear"}, [])
    assert (picker.edits, picker.image.min(), len(images)) == ([], 255, 3)
    picker.image = PIXELS
    assert (picker.sample, len(images)) == ("", 4)
    assert still_png(picker) is not None


def test_without_the_demos_packages_there_is_a_blank_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnwidgets.core.package_files.find_spec", lambda _: None)
    picker = ImageInput()
    assert (picker.samples, picker.name, picker.sides) == (["blank page"], "blank page", [280, 280])
    assert ImageInput(samples={}).image is None
