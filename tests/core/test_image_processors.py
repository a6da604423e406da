"""Image processors and configurations shaped as those of transformers, beside their arithmetic written out in numpy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.picture import load_picture, transform_of
from cnnwidgets.pictures.preprocess import Preprocess, labels_for, preprocess_for

HALF = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
SQUARE = {"height": 24, "width": 20}
KINDS: dict[str, dict[str, Any]] = {
    "ViT": {"size": SQUARE, "resample": 2},
    "ResNet": {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": SQUARE, "resample": 3},
    "ConvNeXt, small": {"size": {"shortest_edge": 24}, "crop_pct": 0.875, "resample": 3},
    "ConvNeXt, large": {"size": {"shortest_edge": 384}, "crop_pct": 1.0, "resample": 3},
    "from -1 to 1": {"size": SQUARE, "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
    "of 0 to 255": {"size": SQUARE, "do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0] * 3},
    "not resized": {"size": SQUARE, "do_resize": False},
}


def _processor(kind: str) -> SimpleNamespace:
    plain = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": 2}
    return SimpleNamespace(**{**plain, **HALF, **KINDS[kind]})


def _theirs(p: SimpleNamespace, picture: Image.Image) -> np.ndarray[Any, Any]:
    """What transformers does: resize, crop, rescale, normalise, one after the other."""
    size, short = p.size, p.size.get("shortest_edge")

    def resize(picture: Image.Image, height: int, width: int) -> Image.Image:
        return picture.resize((width, height), Image.Resampling(p.resample))

    def to_short(picture: Image.Image, short: int) -> Image.Image:
        low, high = sorted(picture.size)
        long = int(short * high / low)
        return resize(picture, *((short, long) if picture.width == high else (long, short)))

    crop_pct, crop = getattr(p, "crop_pct", None), p.crop_size if getattr(p, "do_center_crop", False) else None
    if p.do_resize and crop_pct is not None and short < 384:
        picture, crop = to_short(picture, int(short / crop_pct)), {"height": short, "width": short}
    elif p.do_resize and crop_pct is not None:
        picture = resize(picture, short, short)
    elif p.do_resize:
        picture = to_short(picture, short) if short else resize(picture, size["height"], size["width"])
    values = np.asarray(picture).astype(np.float64)
    if crop:
        top, left = (values.shape[0] - crop["height"]) // 2, (values.shape[1] - crop["width"]) // 2
        values = values[top : top + crop["height"], left : left + crop["width"]]
    if p.do_rescale:
        values = values * p.rescale_factor - (1 if getattr(p, "rescale_offset", False) else 0)
    if p.do_normalize:
        values = (values - np.array(p.image_mean)) / np.array(p.image_std)
    return values.transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(60, 44), (44, 60), (48, 48)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_tensor_is_the_processors(kind: str, size: tuple[int, int]) -> None:
    processor = _processor(kind)
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8))
    transform = transform_of(processor)
    assert isinstance(transform, Preprocess)
    ours, theirs = transform.apply(picture)[0].numpy(), _theirs(processor, picture)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4
    seen = load_picture(picture, None, processor).pixels
    assert seen.shape == (*theirs.shape[1:], 3)


def test_a_processor_that_does_something_else_is_called() -> None:
    class Odd:
        do_normalize, do_pad, size = True, True, {"shortest_edge": 8, "longest_edge": 16}

        def __call__(self, images: Image.Image, return_tensors: str) -> dict[str, torch.Tensor]:
            return {"pixel_values": torch.full((1, 3, images.height, images.width), 0.25)}

    holds_one = SimpleNamespace(image_processor=Odd(), tokenizer=None)
    for processor in (Odd(), holds_one):
        picture = load_picture(Image.new("L", (6, 4)), nn.Conv2d(3, 2, 1), processor)
        assert picture.tensor.shape == (1, 3, 4, 6)
        assert (picture.tensor == 0.25).all()
    with pytest.raises(InputError, match="image processor of transformers"):
        transform_of(object())


class _Configured(nn.Module):
    def __init__(self, names: Any, **config: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        self.config = SimpleNamespace(id2label=names, **config)

    def forward(self, x: torch.Tensor) -> Any:
        return SimpleNamespace(logits=self.net(x), hidden_states=None)


@pytest.mark.parametrize("names", [{0: "cat", 1: "dog", 2: "<b>"}, {"2": "<b>", "0": "cat", "1": "dog"}])
def test_labels_and_size_come_from_the_configuration(names: Any) -> None:
    model = _Configured(names, image_size=40)
    assert labels_for(model) == ("cat", "dog", "<b>")
    own = preprocess_for(model)
    assert (own.size, own.resize) == ((40, 40), (40, 40))
    assert "image processor" in own.notes[0]
    e = cw.explore(model.eval(), np.zeros((50, 60, 3), np.uint8), preprocess=_processor("ViT"))
    assert e.message == ""
    e.target = "<b>"
    assert e.target == 2
    e.close()


@pytest.mark.parametrize("names", [None, {}, {0: "a", 2: "b"}, {"x": "a"}, ["a"]])
def test_names_that_name_no_classes_are_none(names: Any) -> None:
    assert labels_for(_Configured(names)) is None
