"""The exemplars are those that sorting all activations gives, whatever the data set, the network and the way there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import cnnwidgets as cw
from cnnwidgets.exemplars.heaps import Heap, map_peaks
from tests.exemplars.nets import Coarse, Listed, brute_force, levels, small


def assert_equal(exemplars: cw.exemplars.Exemplars, layer: str, maps: torch.Tensor, **options: Any) -> None:
    values, images, places = brute_force(maps, exemplars.k, **options)
    np.testing.assert_array_equal(exemplars.values[layer], values)
    np.testing.assert_array_equal(exemplars.images[layer], images)
    np.testing.assert_array_equal(exemplars.places[layer], places)
    assert exemplars.values[layer].dtype == np.float32
    assert exemplars.images[layer].dtype == np.int64


@pytest.mark.parametrize("distinct", [True, False])
def test_all_layers_of_500_images_with_ties_equal_brute_force(distinct: bool) -> None:
    net, data = Coarse(), levels(500)
    exemplars = cw.exemplars.find(net, ["first", "act", "second"], data, k=9, distinct_images=distinct, batch=37)
    first = net.first(data).detach()
    maps = {"first": first, "act": first.relu(), "second": net(data).detach()}
    for layer, of_layer in maps.items():
        values = exemplars.values[layer]
        assert (values[:, 0] == values[:, 1]).any(), "there are ties to be broken"
        assert_equal(exemplars, layer, of_layer, distinct=distinct)
    assert [note for note in exemplars.notes if "the maps lie on rows" not in note] == []


def test_the_batch_does_not_matter_where_sums_are_exact() -> None:
    net, data = Coarse(), levels(60)
    whole = cw.exemplars.find(net, "second", data, batch=60)
    for batch in (1, 7, None):
        other = cw.exemplars.find(net, "second", data, batch=batch)
        np.testing.assert_array_equal(whole.images["second"], other.images["second"])
        np.testing.assert_array_equal(whole.places["second"], other.places["second"])


def test_nan_never_wins_and_is_noted() -> None:
    net, data = Coarse(), levels(40)
    data[3, 0, 4, 4] = torch.nan
    data[5] = torch.nan
    for distinct in (True, False):
        exemplars = cw.exemplars.find(net, "first", data, k=45, distinct_images=distinct, batch=8)
        assert_equal(exemplars, "first", net.first(data).detach(), distinct=distinct)
        assert np.isfinite(exemplars.values["first"]).any()
        assert 5 not in exemplars.images["first"]
        assert "layer 'first': 10 maps hold NaN, which counts as nothing" in exemplars.notes


def test_fewer_images_than_exemplars() -> None:
    net = Coarse()
    exemplars = cw.exemplars.find(net, "first", levels(3), k=5)
    assert (exemplars.images["first"][:, 3:] == -1).all()
    assert np.isnan(exemplars.values["first"][:, 3:]).all()
    assert (exemplars.places["first"][:, 3:] == -1).all()
    assert len(exemplars.crops("first", 0)) == 3
    assert "the data set holds 3 images: not every channel has 5 exemplars" in exemplars.notes


def test_some_channels_only() -> None:
    net, data = Coarse(), levels(30)
    exemplars = cw.exemplars.find(net, "first", data, channels=[4, 1])
    every = cw.exemplars.find(net, "first", data)
    assert (exemplars.images["first"][[0, 2, 3]] == -1).all()
    np.testing.assert_array_equal(exemplars.values["first"][[1, 4]], every.values["first"][[1, 4]])
    np.testing.assert_array_equal(exemplars.largest("first")[4], every.values["first"][4].max())
    assert np.isnan(exemplars.largest("first")[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    net, data = Coarse().to(dtype), levels(30)
    exemplars = cw.exemplars.find(net, ["first", "second"], data, batch=4)
    assert_equal(exemplars, "second", net(data.to(dtype)).detach().float())
    assert exemplars.crop("second", 2, 0).notes == ()


@pytest.mark.parametrize("channels", [1, 2, 12])
def test_other_numbers_of_input_channels(channels: int) -> None:
    net, data = Coarse(channels), levels(30, channels=channels)
    exemplars = cw.exemplars.find(net, "second", data)
    assert_equal(exemplars, "second", net(data).detach())
    crop = exemplars.crop("second", 0, 0)
    assert crop.pixels.shape == (crop.box[2] - crop.box[0], crop.box[3] - crop.box[1], 3)


class Reordered(nn.Module):
    """Maps as they are, channels last, and as tokens behind one for the class; and by a function on a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last, self.tokens = nn.Conv2d(3, 4, 2, stride=2), nn.Identity(), nn.Identity()
        self.weight = nn.Parameter(torch.randn(5, 4, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x)
        last = self.last(maps.permute(0, 2, 3, 1))
        self.tokens(last.flatten(1, 2))
        return nn.functional.conv2d(maps, self.weight)


def test_channels_last_tokens_and_function_layers_are_read_as_maps() -> None:
    torch.manual_seed(0)
    net, data = Reordered(), torch.rand(20, 3, 12, 16)
    exemplars = cw.exemplars.find(net, ["conv", "last", "tokens", "conv2d"], data, k=4, batch=20)
    conv = net.conv(data).detach()
    for layer in ("conv", "last", "tokens"):
        assert_equal(exemplars, layer, conv)
        row, column = exemplars.places[layer][1, 0]
        assert exemplars.box(layer, row, column) == (2 * row, 2 * column, 2 * row + 2, 2 * column + 2)
    assert_equal(exemplars, "conv2d", net(data).detach())
    assert exemplars.box("conv2d", 0, 1) == (0, 2, 6, 8)


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.act = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 5, 3), nn.ReLU()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.act(self.second(self.act(self.first(x))))
        return maps.mean((2, 3)), maps


def test_of_a_layer_called_twice_the_last_call_is_meant_and_said() -> None:
    torch.manual_seed(0)
    net, data = Reused(), torch.rand(12, 1, 9, 9)
    exemplars = cw.exemplars.find(net, "act", data, batch=12)
    assert_equal(exemplars, "act", net(data)[1].detach())
    assert "layer 'act' is called 2 times; showing call 2" in exemplars.notes


class Stream(IterableDataset[torch.Tensor]):
    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.images)


def of_every_kind(data: torch.Tensor) -> dict[str, Any]:
    return {
        "tensor": data,
        "list of tensors": list(data),
        "data set": Listed(data),
        "mapping": {f"image {index}": image for index, image in enumerate(data)},
        "records": [{"label": 3, "image": image} for image in data],
        "iterable data set": Stream(data),
        "loader": DataLoader(Listed(data), batch_size=4),
        "iterator": iter(data),
        "generator": (image for image in data),
    }


@pytest.mark.parametrize("kind", of_every_kind(levels(2)))
def test_every_kind_of_data_set(kind: str) -> None:
    net, data = Coarse(), levels(21)
    dataset = of_every_kind(data)[kind]
    steps: list[Any] = []
    exemplars = cw.exemplars.find(net, "first", dataset, batch=5, progress=steps.append)
    assert_equal(exemplars, "first", net.first(data).detach())
    assert [step.done for step in steps] == [5, 10, 15, 20, 21]
    counted = kind not in ("iterable data set", "loader", "iterator", "generator")
    assert steps[-1].total == (21 if counted else 0)
    assert (steps[-1].remaining is None) is not counted
    assert steps[0].partial.images["first"].max() == 4
    if kind in ("iterator", "generator"):
        with pytest.raises(cw.InputError, match="iterator, which is used up"):
            exemplars.crop("first", 0)
    else:
        crop = exemplars.crop("first", 0)
        assert crop.activation.max() == crop.value == exemplars.values["first"][0, 0]


def test_folders_arrays_and_pil_images_are_prepared_as_the_network_wants_them(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(net[0].weight)
    (tmp_path / "inner").mkdir()
    pictures = [np.full((12, 12), 20 * index, np.uint8) for index in range(6)]
    pictures[4][7, 3] = 250
    files = [tmp_path / name for name in ("a.png", "b.png", "c.png", "inner/d.png", "inner/e.png", "z.png")]
    for file, pixels in zip(files, pictures, strict=True):
        Image.fromarray(pixels).save(file)
    (tmp_path / "notes.txt").write_text("no image")
    for dataset in (tmp_path, str(tmp_path), pictures, [Image.fromarray(pixels) for pixels in pictures], files):
        exemplars = cw.exemplars.find(net, "0", dataset, k=2)
        np.testing.assert_allclose(exemplars.values["0"], [[250 / 255, 100 / 255]], atol=1e-6)
        assert exemplars.images["0"].tolist() == [[4, 5]]
        assert exemplars.places["0"][0, 0].tolist() == [7, 3]
        assert exemplars.crop("0", 0, 0).pixels.tolist() == [[[250, 250, 250]]]
        assert any("Preprocessing is not known" in note for note in exemplars.notes)


def test_the_model_is_as_it_was() -> None:
    net = nn.Sequential(*small(), nn.Dropout()).train()
    net[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    data = torch.rand(10, 3, 16, 16)
    generator = torch.get_rng_state()
    exemplars = cw.exemplars.find(net, ["0", "3"], data)
    exemplars.crops("3", 1)
    assert net.training
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert not any("forward" in vars(module) for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [value.requires_grad for value in net.parameters()][:2] == [False, True]
    assert all(value.grad is None for value in net.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
    assert "model was in training mode; explained in evaluation mode" in exemplars.notes


def test_networks_that_take_one_image_at_a_time() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Unflatten(0, (1, -1)), nn.Flatten(), nn.LazyLinear(2))
    data = torch.rand(6, 1, 8, 8)
    net(data[:1])
    exemplars = cw.exemplars.find(net, "0", data, batch=3)
    maps = torch.cat([net[0](image[None]).detach() for image in data])
    assert_equal(exemplars, "0", maps)
    assert "the network takes one image at a time: batches are run one by one" in exemplars.notes


@pytest.mark.parametrize(
    ("layers", "options", "error", "words"),
    [
        ("7", {}, cw.NotSpatial, "Layer '7' returns"),
        ("nose", {}, cw.LayerNotFound, "Closest"),
        ([], {}, cw.InputError, "layers is empty"),
        ("0", {"channels": [2, 6]}, cw.InputError, "channel is 6; layer '0' has 6: expected 0 to 5"),
        ("0", {"channels": [-1]}, cw.InputError, "channel is -1"),
        ("0", {"channels": []}, cw.InputError, "expected numbers of channels"),
        ("0", {"k": 0}, cw.InputError, "k is 0"),
        ("0", {"batch": 0}, cw.InputError, "batch is 0"),
        ("0", {"executor": 2}, cw.InputError, "executor is a int"),
        ("0", {"checkpoint": "/nowhere/at/all.npz"}, cw.InputError, "folder that does not exist"),
    ],
)
def test_what_cannot_be_looked_for(layers: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        cw.exemplars.find(small(), layers, torch.rand(4, 3, 12, 12), **options)


def empty_stream() -> Iterator[torch.Tensor]:
    yield from ()


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ([], "data set is empty"),
        (torch.zeros(0, 3, 8, 8), r"data set is empty \(a tensor \(0, 3, 8, 8\)"),
        (empty_stream(), "it gave no image"),
        (7, "Got a int as data set"),
        (small(), "Got a Sequential as data set"),
        ("/nowhere/at/all", "There is no folder"),
        ([torch.zeros(3, 12, 12), torch.zeros(3, 12, 14)], "Item 1 of the data set is 3 x 12 x 14, the first 3 x 12 x"),
        ([torch.zeros(3, 12, 12), "cat.png"], r"Item 1 \('cat.png'\) of the data set .*No image file"),
        ([torch.zeros(3, 12, 12), {"label": 1}], "Item 1 of the data set .*mapping with the keys"),
        ([torch.zeros(3, 12, 12), torch.zeros(3, 12, 12).byte()], "Item 1 of the data set .*must be float"),
    ],
)
def test_data_sets_that_cannot_be_used(dataset: Any, words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        cw.exemplars.find(small(), "0", dataset)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match="holds no image file"):
        cw.exemplars.find(small(), "0", tmp_path)


def test_a_folder_that_vanishes_keeps_what_was_found(tmp_path: Path) -> None:
    files = [tmp_path / f"{index}.png" for index in range(8)]
    for index, file in enumerate(files):
        Image.fromarray(np.full((16, 16, 3), 30 * index, np.uint8)).save(file)

    def vanish(step: Any) -> None:
        for file in files:
            file.unlink(missing_ok=True)

    with pytest.raises(cw.exemplars.ItemError, match=r"Item 4 \('4.png'\) of the data set") as caught:
        cw.exemplars.find(small(), "0", tmp_path, batch=4, progress=vanish)
    assert caught.value.item == 4
    assert sorted(set(caught.value.partial.images["0"][0].tolist())) == [-1, 0, 1, 2, 3]
    with pytest.raises(cw.exemplars.ItemError, match=r"Item [0-3]"):
        caught.value.partial.crop("0", 0, 0)


def test_heaps_joined_in_any_order_are_the_heap_of_all() -> None:
    maps = levels(60, side=4, channels=6)
    maps[7] = torch.nan

    def grown(start: int, stop: int, distinct: bool) -> Heap:
        part = maps[start:stop]
        return Heap.empty(6, 8).grown(part, map_peaks(part)[0], start, distinct=distinct)

    for distinct in (True, False):
        parts = [grown(start, start + 20, distinct) for start in (0, 20, 40)]
        joined = parts[2].joined(parts[0]).joined(parts[1])
        values, images, places = brute_force(maps, 8, distinct=distinct)
        np.testing.assert_array_equal(joined.values, values)
        np.testing.assert_array_equal(joined.images, images)
        np.testing.assert_array_equal(joined.cells, places @ [4, 1])
