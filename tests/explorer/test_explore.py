from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.explorer.work.session import Session
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def _scores() -> np.ndarray[Any, Any]:
    with torch.no_grad():
        return nets.plain()(_tensor(Image.fromarray(PIXELS))[None])[0].numpy()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    Image.fromarray(PIXELS).save(path)
    return path


@pytest.mark.parametrize("kind", ["pil", "path", "text", "array", "tensor", "mapping"])
def test_every_kind_of_image_gives_the_models_own_scores(kind: str, photo: Path) -> None:
    image: Any = {
        "pil": Image.fromarray(PIXELS),
        "path": photo,
        "text": str(photo),
        "array": PIXELS,
        "tensor": _tensor(Image.fromarray(PIXELS))[None],
        "mapping": {"mine": PIXELS, "other": photo},
    }[kind]
    e = cw.explore(nets.plain(), image, preprocess=_tensor)
    names = {"pil": "image", "path": "cat.png", "text": "cat.png", "array": "image", "tensor": "tensor"}
    assert e.picture == names.get(kind, "mine")
    assert e.pictures == (["mine", "other"] if kind == "mapping" else [e.picture])
    np.testing.assert_allclose(e.scores._logits, _scores(), rtol=1e-5)
    assert e.target == _scores().argmax()
    np.testing.assert_array_equal(pushed(e.overlay, "picture")[1]["pixels"], PIXELS)
    assert (e.layer, e.method, e.status, e.channel) == ("4", "grad_cam", "ready", None)


def test_the_name_of_an_opened_file_is_shown(photo: Path) -> None:
    with Image.open(photo) as image:
        assert cw.explore(nets.plain(), image).picture == "cat.png"


def test_labels_name_the_classes() -> None:
    e = cw.explore(nets.plain(), PIXELS, labels=("ant", "bee", "cat", "dog", "eel"))
    assert [e.scores.label(index) for index in range(5)] == ["ant", "bee", "cat", "dog", "eel"]
    assert e.overlay.caption == f"Grad-CAM · 4 → {e.scores.label(e.target)} ({e.target})"
    assert e.map_check.caption == e.overlay.caption


@pytest.mark.parametrize("number", [3, np.int64(3), torch.tensor(3), [3]])
def test_a_target_is_explained_and_kept(number: Any) -> None:
    e = cw.explore(nets.plain(), {"one": PIXELS, "two": 255 - PIXELS}, preprocess=_tensor, target=number)
    assert (e.target, e.scores.target) == (3, 3)
    expected = cw.explainers.grad_cam(nets.plain(), _tensor(Image.fromarray(PIXELS))[None], 3, layer="4")
    np.testing.assert_allclose(shown_map(e), expected.values[0], rtol=1e-5)
    e.picture = "two"
    e.wait(20)
    assert (e.status, e.target) == ("ready", 3)


def test_a_function_of_the_outputs_can_be_explained_until_a_class_is_chosen() -> None:
    def ant_minus_bee(outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0] - outputs[:, 1]

    image = _tensor(Image.fromarray(PIXELS))[None]
    e = cw.explore(nets.plain(), image, target=ant_minus_bee)
    assert e.overlay.caption == "Grad-CAM · 4 → ant_minus_bee"
    expected = cw.explainers.grad_cam(nets.plain(), image, ant_minus_bee, layer="4")
    np.testing.assert_allclose(shown_map(e), expected.values[0], rtol=1e-5)
    e.method = "saliency"
    e.wait(20)
    assert e.overlay.caption == "Saliency → ant_minus_bee"
    e.method = "grad_cam"
    e.target = 1
    e.wait(20)
    assert e.overlay.caption == "Grad-CAM · 4 → class 1 (1)"


def test_a_target_out_of_range() -> None:
    with pytest.raises(cw.TargetError, match="5 classes"):
        cw.explore(nets.plain(), PIXELS, target=5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": ["only", "two"]}, "2 labels for 5 classes"),
        ({"image": {}}, "no image"),
        ({"image": torch.rand(2, 3, 24, 24)}, "2 images"),
        ({"image": torch.rand(1, 4, 24, 24)}, "4 channels"),
        ({"image": np.zeros((0, 4, 3), np.uint8)}, "0"),
        ({"image": 7}, "int"),
        ({"image": "nowhere.jpg"}, "nowhere.jpg"),
        ({"preprocess": "resize"}, "resize"),
    ],
)
def test_arguments_that_do_not_fit(options: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(cw.InputError, match=says):
        cw.explore(nets.plain(), **{"image": PIXELS, **options})
    assert capsys.readouterr().err == ""  # nothing from what is left of a half made widget


@pytest.mark.parametrize("model", [nets.plain, "resnet18", {"a": 1}])
def test_something_that_is_no_model(model: Any) -> None:
    with pytest.raises(cw.CnnWidgetsError, match=r"torch\.nn\.Module"):
        cw.explore(model, PIXELS)


def test_labels_by_class_number_are_put_in_order() -> None:
    session = Session(nn.Flatten(), {"one": torch.zeros(1, 1, 2, 2)}, labels={1: "b", 0: "a"})
    assert session.labels == ["a", "b"]


@pytest.mark.parametrize("labels", ["abcde", 5, {"a": 0, "b": 1}])
def test_labels_that_are_no_names(labels: Any) -> None:
    with pytest.raises(cw.InputError, match="labels is"):
        Session(nn.Flatten(), {"one": torch.zeros(1, 1, 2, 2)}, labels=labels)


def test_maps_out_of_proportion_are_shown_with_a_note() -> None:
    """The picture is what the network sees: an adaptive pooling's square grid does cover all of a wide one."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 5)
    ).eval()
    e = cw.explore(net, torch.rand(1, 3, 16, 64))
    e.layer = e.overlay.layer = "2"
    assert shown_map(e).shape == (3, 3)
    assert any(
        "3 × 3 cells are stretched over a picture of another shape, 16 × 64" in n["text"] for n in e.overlay.notes
    )
    wanted = {"methods": ["grad_cam"], "axis": "layers", "layers": ["2"], "classes": []}
    e.comparison._receive(None, {"op": "compare", "id": 1, **wanted}, [])
    e.wait(20)
    assert "3 × 3 cells are stretched" in pushed(e.comparison, "cell:0:0")[0]["notes"][-1]
    e.close()
