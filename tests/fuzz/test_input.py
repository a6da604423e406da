"""Random files, arrays and tensors: a picture, or an error of ours with a message of readable length."""

from __future__ import annotations

import io
import random
import time
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.pictures.picture import load_picture
from tests.fuzz.budget import rounds

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA")


def seeds() -> dict[str, bytes]:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    made = {}
    for kind in FORMATS:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        made[kind] = stream.getvalue()
    return made


def mutated(rng: random.Random, content: bytes) -> bytes:
    broken = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 50])):
        at = rng.randrange(min(len(broken), rng.choice([32, 200, len(broken)])))
        broken[at] = rng.choice([0, 255, rng.randrange(256)])
    if rng.random() < 0.2:
        del broken[rng.randrange(len(broken)) :]
    return bytes(broken)


def survives(call: Any) -> None:
    begun = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except CnnWidgetsError as error:
        message = str(error)
    else:
        message = ""
    message.encode()  # can be sent to a page
    assert len(message) < 1_500
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files(kind: str) -> None:
    content = seeds()[kind]
    for rng in rounds(f"file {kind}"):
        broken = mutated(rng, content)

        def load(broken: bytes = broken) -> None:
            picture = load_picture(broken)
            assert picture.pixels.dtype == np.uint8
            assert bool(picture.tensor.isfinite().all())

        survives(load)


def odd_array(rng: random.Random) -> Any:
    shape = [rng.choice([0, 1, 2, 3, 4, 7, 16]) for _ in range(rng.randrange(6))]
    kind = rng.choice(["u1", "u2", "i2", "i8", "u8", "f2", "f4", "f8", "g", "c8", "?", "O", "U3", "M8[s]", "V4"])
    array = np.zeros(shape, kind)
    if array.dtype.kind in "iuf" and array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice([1, 100, 4095 if array.dtype.itemsize > 1 else 7])
    if array.dtype.kind == "f" and array.size:
        with np.errstate(all="ignore"):
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, 1e300, 1e-300, -1.0])
    changed = [
        array,
        array[..., ::-1] if shape else array,
        array.T,
        np.ma.masked_array(array),
        array.tolist(),
        np.broadcast_to(array, (2, *shape)),
    ]
    return rng.choice(changed)


def odd_tensor(rng: random.Random) -> torch.Tensor:
    shape = [rng.choice([0, 1, 1, 3, 3, 4, 16]) for _ in range(rng.choice([2, 3, 4, 4, 4, 5]))]
    tensor = torch.zeros(shape).to(
        rng.choice([torch.float32, torch.float64, torch.bfloat16, torch.float8_e5m2, torch.int64])
    )
    return rng.choice(
        [
            lambda: tensor,
            lambda: tensor.to("meta"),
            lambda: tensor.float().requires_grad_(),
            lambda: tensor.float().to_sparse(),
            lambda: tensor.float().to(torch.complex64).conj(),
            lambda: torch.zeros([1] * len(shape)).expand([10 ** (15 // len(shape))] * len(shape)),
            lambda: tensor.float().as_subclass(nn.Parameter),
            lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.quint8),
        ]
    )()


TAKERS: list[Any] = [
    lambda net, value: load_picture(value, net),
    lambda _, value: cw.FeatureMaps(value),
    lambda _, value: cw.HeatmapOverlay(None, value),
    lambda _, value: cw.HeatmapOverlay(value),
    lambda _, value: cw.Occluder(value),
    lambda _, value: cw.ClassScores(value),
    lambda _, value: cw.Comparison.of(None, {"map": value}),
    lambda _, value: cw.MapCheck().show_maps(value, [], []),
    lambda net, value: cw.trace(net, value),
    lambda net, value: cw.explainers.grad_cam(net, value),
    lambda net, value: cw.incremental.Edited(net, value),
    lambda net, value: cw.explore(net, value).close(),
]


def test_arrays_and_tensors() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()
    for rng in rounds("arrays"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = odd_array(rng) if rng.random() < 0.5 else odd_tensor(rng)
        take = rng.choice(TAKERS)
        survives(lambda take=take, value=value: take(net, value))
