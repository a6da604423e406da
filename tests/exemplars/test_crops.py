"""Crops are what the cell sees, by the gradient; and what was saved is what is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import cnnwidgets as cw
from tests.exemplars.nets import Coarse, levels, small


def support(net: nn.Module, layer: str, image: torch.Tensor, row: int, column: int) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the pixels that have a gradient at one cell."""
    x = (0.5 + torch.rand(image.shape, dtype=torch.float64)).requires_grad_()
    with cw.capture(net, layer) as outputs:
        net(x)
    maps = outputs[layer][-1]
    if layer in CHANNELS_LAST:
        maps = maps.permute(0, 3, 1, 2)
    (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), x)
    touched = (gradient[0] != 0).any(0)
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


CHANNELS_LAST = {"features.0.1"}  # Swin's, before its norm, whose channels add up to the same everywhere


def responsive(net: nn.Module) -> nn.Module:
    """In double precision, with positive weights that keep the scale: no path cancels another, no unit is asleep.

    Pooling takes the mean of the windows that it takes the largest of else, so that each of their cells counts.
    """
    generator = torch.Generator().manual_seed(0)
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan = module.weight[0].numel()
            module.weight.data = (0.5 + torch.rand(module.weight.shape, generator=generator)) / fan
            if module.bias is not None:
                module.bias.data.zero_()
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, pool)
    return net.double().eval()


models = torchvision.models
FAMILIES: dict[str, tuple[Any, str, int]] = {
    "alexnet": (lambda: models.alexnet().features, "5", 96),
    "convnext": (
        lambda: models.ConvNeXt([models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 1)]),
        "features.2",
        64,
    ),
    "densenet121": (lambda: models.densenet121().features, "denseblock1.denselayer3.conv2", 64),
    "efficientnet_b0": (models.efficientnet_b0, "features.1.0.block.0", 64),
    "googlenet": (lambda: models.googlenet(init_weights=False), "inception3a", 112),
    "inception_v3": (lambda: models.inception_v3(init_weights=False), "Conv2d_4a_3x3", 96),
    "maxvit": (lambda: models.MaxVit((64, 64), 8, 8, [8], [1], 4, 0.0), "stem", 64),
    "mnasnet0_5": (models.mnasnet0_5, "layers.8", 64),
    "mobilenet_v2": (models.mobilenet_v2, "features.5", 96),
    "mobilenet_v3_small": (models.mobilenet_v3_small, "features.1.block.0", 64),
    "regnet_x_400mf": (models.regnet_x_400mf, "trunk_output.block2.block2-0", 64),
    "resnet18": (models.resnet18, "layer2.0", 96),
    "shufflenet_v2_x0_5": (models.shufflenet_v2_x0_5, "stage2.1", 112),
    "squeezenet1_1": (models.squeezenet1_1, "features.6", 96),
    "swin": (
        lambda: models.SwinTransformer([4, 4], 12, [2, 2], [2, 2], [4, 4], num_classes=2),
        "features.0.1",
        32,
    ),
    "vgg11": (lambda: models.vgg11().features, "9", 64),
    "vit": (lambda: models.VisionTransformer(32, 8, 1, 2, 16, 16, num_classes=2), "conv_proj", 32),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_crops_are_the_support_of_the_gradient(family: str) -> None:
    build, layer, side = FAMILIES[family]
    torch.manual_seed(0)
    net = responsive(build())
    data = torch.rand(2, 3, side, side + 4 if family not in ("maxvit", "vit", "swin") else side)
    exemplars = cw.exemplars.find(net, layer, data, k=2)
    rows, columns = (len(part) for part in (exemplars._layers[layer].rows, exemplars._layers[layer].columns))
    for row, column in ((0, 0), (rows // 2, columns // 2), (rows - 1, columns // 3)):
        assert exemplars.box(layer, row, column) == support(net, layer, data[:1], row, column)
    crop = exemplars.crop(layer, 0, 0)
    top, left, bottom, right = exemplars.box(layer, *crop.cell)
    assert crop.box == (top, left, bottom, right)
    assert bottom - top < side or right - left < side, "a part of the image, or the test says little"
    expected = exemplars.dataset.picture(crop.image).pixels[top:bottom, left:right]
    np.testing.assert_array_equal(crop.pixels, expected)


def test_a_crop_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False))
    nn.init.ones_(net[0].weight)
    data = torch.zeros(2, 1, 8, 8)
    data[1, 0, 4:7, 0:2] = 1.0
    exemplars = cw.exemplars.find(net, "0", data, k=1)
    crop = exemplars.crop("0", 0)
    # The cell in row 3 would reach from row 5; that in row 2 sees rows 3 to 5, that in column 0 columns -1 to 1.
    assert (crop.image, crop.cell, crop.box, crop.value) == (1, (2, 0), (3, 0, 6, 2), 4.0)
    assert crop.pixels[:, :, 0].tolist() == [[0, 0], [255, 255], [255, 255]]
    # The map is shared out over the image, two pixels a cell: one cell has its centre in the crop's columns.
    assert crop.activation.tolist() == [[4.0]]
    assert crop.extent == (4.0, 0.0, 6.0, 2.0)


def test_all_crops_of_a_channel_take_one_run_of_the_network() -> None:
    net, data = small(), torch.rand(20, 3, 16, 16)
    exemplars = cw.exemplars.find(net, ["0", "3"], data)
    runs: list[int] = []
    handle = net[0].register_forward_hook(lambda _, inputs, __: runs.append(len(inputs[0])))
    crops = exemplars.crops("3", 5)
    handle.remove()
    assert runs == [9]
    with torch.no_grad():
        maps = net[:4](data)[:, 5]
    for crop, index in zip(crops, exemplars.images["3"][5], strict=True):
        row, column = crop.cell
        assert crop.value == pytest.approx(float(maps[index, row, column]), abs=1e-6)
        whole = maps[index].numpy()
        height, width = crop.activation.shape
        # A cell is a 3 x 3 of pairs of pixels: the first of six has its centre at 3, so they share out pixels 2 to 14.
        tops = round((crop.extent[0] - 2) / 2), round((crop.extent[1] - 2) / 2)
        np.testing.assert_allclose(
            crop.activation, whole[tops[0] : tops[0] + height, tops[1] : tops[1] + width], atol=1e-6
        )


@pytest.mark.parametrize(
    ("layer", "channel", "rank", "error", "words"),
    [
        ("2", 0, 0, cw.LayerNotFound, "No layer '2'"),
        ("3", 10, 0, cw.InputError, "channel is 10; layer '3' has 10: expected 0 to 9"),
        ("3", -1, 0, cw.InputError, "channel is -1"),
        ("3", 0, 9, cw.InputError, "has 9 exemplars: expected an int from 0 to 8"),
        ("3", 0, 0.5, cw.InputError, "rank is 0.5"),
    ],
)
def test_crops_that_there_are_not(layer: str, channel: int, rank: Any, error: type[Exception], words: str) -> None:
    exemplars = cw.exemplars.find(small(), ["0", "3"], torch.rand(12, 3, 16, 16))
    with pytest.raises(error, match=words):
        exemplars.crop(layer, channel, rank)


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    net, data, path = Coarse(), levels(40), tmp_path / "some.npz"
    exemplars = cw.exemplars.find(net, ["first", "second"], data, k=50)
    exemplars.save(path)
    loaded = cw.exemplars.Exemplars.load(path, data, net)
    for layer in exemplars.layers:
        np.testing.assert_array_equal(loaded.values[layer], exemplars.values[layer])
        np.testing.assert_array_equal(loaded.images[layer], exemplars.images[layer])
        np.testing.assert_array_equal(loaded.places[layer], exemplars.places[layer])
    assert (loaded.layers, loaded.k, loaded.count, loaded.notes) == (
        exemplars.layers, exemplars.k, exemplars.count, exemplars.notes,
    )  # fmt: skip
    for one, other in zip(loaded.crops("second", 3), exemplars.crops("second", 3), strict=True):
        assert (one.box, one.extent, one.cell, one.value, one.image) == (
            other.box, other.extent, other.cell, other.value, other.image,
        )  # fmt: skip
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.activation, other.activation)
    pixels_only = cw.exemplars.Exemplars.load(path, data)
    assert pixels_only.crop("second", 3).activation is None
    with pytest.raises(cw.InputError, match="loaded without their images"):
        cw.exemplars.Exemplars.load(path).crop("second", 3)
    with pytest.raises(cw.InputError, match="of a data set of 40 images; this one has 39"):
        cw.exemplars.Exemplars.load(path, data[:39])


def test_a_file_takes_12_bytes_an_exemplar_at_most(tmp_path: Path) -> None:
    net = nn.Conv2d(3, 500, 1)
    cw.exemplars.find(nn.Sequential(net), "0", torch.rand(30, 3, 12, 12)).save(tmp_path / "some.npz")
    with np.load(tmp_path / "some.npz") as stored:
        kinds = {name: stored[name].dtype for name in stored.files}
        size = sum(stored[name].nbytes for name in ("value_0", "image_0", "row_0", "column_0"))
    assert size == 12 * 500 * 9
    assert [str(kinds[name]) for name in ("value_0", "image_0", "row_0", "column_0")] == [
        "float32", "int32", "uint16", "uint16",
    ]  # fmt: skip
    assert (tmp_path / "some.npz").stat().st_size < 12 * 500 * 9 + 3000


def test_a_network_that_has_changed_since_is_said() -> None:
    net, data = small(), torch.rand(12, 3, 16, 16)
    exemplars = cw.exemplars.find(net, "3", data)
    assert exemplars.crop("3", 1).notes == ()
    with torch.no_grad():
        net[3].bias += 1
    assert "the network or the data set has changed since" in exemplars.crop("3", 1).notes[0]


def test_the_demo_s_photographs_where_there_is_no_data_set() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 7, stride=4))
    exemplars = cw.exemplars.find(net, "0", k=3)
    images = cw.exemplars.demo_crops()
    assert images.count == exemplars.count
    assert images.count in (14 * 6, 14 * 26)
    assert f"the images are {images.count} crops of the demo's {images.count // 14} photographs" in exemplars.notes[0]
    # The first of a photograph is the square in its centre, the next its upper left quarter.
    chelsea = np.asarray(cw.demo.photographs()["chelsea"])
    whole, quarter = (np.asarray(images._items[index]) for index in (0, 1))
    np.testing.assert_array_equal(whole, chelsea[:, 75:375])
    np.testing.assert_array_equal(quarter, chelsea[:150, 75:225])
