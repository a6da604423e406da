from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import nn
from torchvision import models

from cnnwidgets.pictures.preprocess import Preprocess, labels_for, preprocess_for

_ROOT = Path(__file__).parents[2]
_SIZES = [(451, 300), (300, 451), (256, 256), (31, 97), (640, 225)]


def _photo(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize(
    "weights",
    [
        models.ResNet50_Weights.IMAGENET1K_V2,
        models.MobileNet_V2_Weights.IMAGENET1K_V2,
        models.EfficientNet_B1_Weights.IMAGENET1K_V2,
        models.Inception_V3_Weights.IMAGENET1K_V1,
        models.GoogLeNet_Weights.IMAGENET1K_V1,
        models.Swin_T_Weights.IMAGENET1K_V1,
        models.SqueezeNet1_1_Weights.IMAGENET1K_V1,
        models.segmentation.LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1,
    ],
    ids=str,
)
def test_torchvision_networks_get_their_weights_own_transforms(
    weights: models.WeightsEnum, size: tuple[int, int]
) -> None:
    name = str(weights).split("_Weights")[0].lower()
    builders: dict[str, Any] = {
        "lraspp_mobilenet_v3_large": {"weights_backbone": None},
        "inception_v3": {"init_weights": False},
        "googlenet": {"init_weights": False},
    }
    with torch.device("meta"):
        model = models.get_model(name, weights=None, **builders.get(name, {}))
    found = preprocess_for(model)
    assert found.source == f"torchvision {weights}"
    photo = _photo(*size)
    torch.testing.assert_close(found.apply(photo)[0], weights.transforms()(photo), rtol=0, atol=1e-6)


def test_two_sets_of_weights_that_fit_are_both_named() -> None:
    with torch.device("meta"):
        model = models.resnet50()
    assert "ResNet50_Weights.IMAGENET1K_V1 fit this network too" in " ".join(preprocess_for(model).notes)
    with torch.device("meta"):
        assert preprocess_for(models.resnet18()).notes == ()


def test_a_fine_tuned_classifier_keeps_its_backbones_preprocessing() -> None:
    with torch.device("meta"):
        model = models.efficientnet_b1()
        model.classifier[1] = nn.Linear(1280, 7)
    found = preprocess_for(model)
    assert found.source == "torchvision EfficientNet_B1_Weights.IMAGENET1K_V2"
    assert found.size == (240, 240)


def test_a_network_inside_a_module_is_found_and_named() -> None:
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Identity()
            self.backbone = models.mobilenet_v2()

    with torch.device("meta"):
        model = Mine()
    found = preprocess_for(nn.DataParallel(model))
    assert found.source == "torchvision MobileNet_V2_Weights.IMAGENET1K_V2"
    assert any("'backbone'" in note for note in found.notes)


def test_a_block_of_torchvision_in_a_network_of_ones_own_is_not_taken_for_the_network() -> None:
    from torchvision.models.resnet import BasicBlock

    model = nn.Sequential(nn.Conv2d(3, 8, 3), BasicBlock(8, 8))
    found = preprocess_for(model)
    assert found.source == "assumed"
    assert "assumed" in found.notes[0]
    assert "preprocess=" in found.notes[0]


def test_torchvision_without_fitting_weights_gets_imagenets_usual_and_says_so() -> None:
    with torch.device("meta"):
        model = models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1])
    found = preprocess_for(model)
    assert (found.size, found.resize, found.mean) == ((224, 224), (256, 256), (0.485, 0.456, 0.406))
    assert "No published weights fit this ResNet" in found.notes[0]


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize(
    "overlay",
    [
        {},
        {"crop_mode": "squash", "crop_pct": 0.9},
        {"crop_mode": "border", "crop_pct": 0.95},
        {"crop_mode": "border", "crop_pct": 1.0, "mean": (0.2, 0.5, 0.7)},
        {"input_size": (3, 160, 224), "interpolation": "bilinear"},
        {"crop_pct": 1.0, "interpolation": "lanczos"},
    ],
    ids=str,
)
def test_timm_networks_get_timms_own_transform(overlay: dict[str, object], size: tuple[int, int]) -> None:
    with torch.device("meta"):
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False, pretrained_cfg_overlay=overlay)
    photo = _photo(*size)
    expected = create_transform(**resolve_model_data_config(model))(photo)  # type: ignore[no-untyped-call]
    found = preprocess_for(model)
    assert found.source == "timm tf_efficientnet_lite0"
    torch.testing.assert_close(found.apply(photo)[0], expected, rtol=0, atol=1e-6)


def test_one_channel_networks_get_grey() -> None:
    own = preprocess_for(nn.Sequential(nn.Conv2d(1, 4, 3)))
    ramp = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    torch.testing.assert_close(own.apply(ramp), (torch.arange(64.0) / 255).reshape(1, 1, 8, 8))
    with torch.device("meta"):
        borrowed = preprocess_for(timm.create_model("resnet18", pretrained=False, in_chans=1))
    assert borrowed.channels == 1
    assert borrowed.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))
    assert any("one channel" in note for note in borrowed.notes)


def test_an_unknown_network_gets_a_centre_square_never_enlarged() -> None:
    found = preprocess_for(nn.Sequential(nn.Conv2d(3, 4, 3)))
    assert found.apply(_photo(32, 40)).shape == (1, 3, 32, 32)
    assert found.apply(_photo(451, 300)).shape == (1, 3, 224, 224)
    small = _photo(32, 40)
    np.testing.assert_array_equal(found.pixels(found.apply(small)), np.asarray(small)[4:36])


def test_pixels_undo_apply() -> None:
    found = Preprocess(size=(60, 70), resize=None)
    photo = _photo(80, 100)
    np.testing.assert_array_equal(found.pixels(found.apply(photo)), np.asarray(photo)[20:80, 5:75])


def test_labels_for_imagenet_classifiers_only() -> None:
    with torch.device("meta"):
        squeeze, fewer = models.squeezenet1_1(), models.resnet18(num_classes=10)
        lite, ten = timm.create_model("tf_efficientnet_lite0"), timm.create_model("resnet18", num_classes=10)
    for model in (squeeze, lite, nn.DataParallel(lite)):
        labels = labels_for(model)
        assert labels is not None
        assert (labels[281], labels[282], labels[999]) == ("tabby", "tiger cat", "toilet tissue")
    assert labels_for(fewer) is None
    assert labels_for(ten) is None
    assert labels_for(nn.Sequential(nn.Conv2d(3, 1000, 1))) is None


def test_it_works_without_torchvision_and_timm() -> None:
    code = (
        "import sys; sys.modules['torchvision'] = None; sys.modules['timm'] = None\n"
        "import torch, numpy as np; from torch import nn\n"
        "from cnnwidgets.pictures.picture import load_picture\n"
        "net = nn.Conv2d(3, 2, 3)\n"
        "print(load_picture(torch.zeros(1, 3, 8, 8), net).pixels.shape,"
        " load_picture(np.zeros((8, 9, 3), np.uint8), net, lambda pil: torch.ones(3, 5, 6)).pixels.shape,"
        " load_picture(np.zeros((8, 9, 3), np.uint8), net).pixels.shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=_ROOT)
    assert done.stdout.strip() == "(8, 8, 3) (5, 6, 3) (8, 8, 3)", done.stderr
