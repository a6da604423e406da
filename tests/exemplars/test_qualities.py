"""Channels made for colour, for shape and for texture by hand are told apart, with numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw

SIDE, MARK = 64, 24
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")


def cross() -> torch.Tensor:
    """(24, 24) of -1, with a cross of 1, six pixels thick."""
    mark = torch.full((MARK, MARK), -1.0)
    mark[9:15] = 1.0
    mark[:, 9:15] = 1.0
    return mark


class Handmade(nn.Module):
    """Redness, a grey cross, and how much neighbouring columns differ within 9 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.red, self.cross, self.differ = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, MARK), nn.Conv2d(3, 2, (1, 2))
        template = cross() - cross().mean()
        step = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).view(2, 1, 1, 2) / 3
        with torch.no_grad():
            self.red.weight.copy_(torch.tensor([1.0, -0.5, -0.5]).view(1, 3, 1, 1))
            self.cross.weight.copy_((template / template.abs().sum() / 3).expand(1, 3, MARK, MARK))
            self.differ.weight.copy_(step.expand(2, 3, 1, 2))
            for module in (self.red, self.cross, self.differ):
                module.bias.zero_()
        self.colour, self.shape, self.texture = nn.ReLU(), nn.ReLU(), nn.AvgPool2d(9, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.colour(self.red(x))
        self.shape(self.cross(x))
        return self.texture(self.differ(x).relu().sum(1, keepdim=True))


def pictures() -> torch.Tensor:
    """Sixteen of each: a red square, a cross, stripes one pixel wide, nothing; on grey, in colours of [0, 1]."""
    generator = torch.Generator().manual_seed(4)
    data = torch.full((64, 3, SIDE, SIDE), 0.5)
    for index, image in enumerate(data):
        top, left = torch.randint(0, SIDE - MARK, (2,), generator=generator).tolist()
        patch = image[:, top : top + MARK, left : left + MARK]
        if index % 4 == 0:
            patch.copy_(torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1).expand_as(patch))
        elif index % 4 == 1:
            patch.copy_((0.5 + 0.4 * cross()).expand_as(patch))
        elif index % 4 == 2:
            image.copy_((0.5 + 0.4 * (2.0 * (COLUMNS % 2) - 1)).expand_as(image))
    return data


@pytest.fixture(scope="module")
def exemplars() -> cw.exemplars.Exemplars:
    return cw.exemplars.find(Handmade(), ["colour", "shape", "texture"], pictures())


@pytest.mark.parametrize("word", ["colour", "shape", "texture"])
def test_each_is_sorted_right(word: str, exemplars: cw.exemplars.Exemplars) -> None:
    expected = ("colour", "shape", "texture").index(word)
    assert set(exemplars.images[word][0] % 4) == {expected}, "its exemplars are the pictures made for it"
    result = cw.exemplars.qualities(Handmade(), word, 0, exemplars)
    assert result.word == word
    assert result.sentence.endswith(f": {word}.")
    assert result.sentence.startswith(f"Of its activation the channel keeps {100 * result.kept['grey']:.0f} % without")


def test_the_numbers_of_the_colour_channel_by_hand(exemplars: cw.exemplars.Exemplars) -> None:
    kept = cw.exemplars.qualities(Handmade(), "colour", 0, exemplars).kept
    # Grey excites it by 1 - 0.5 - 0.5 times the brightness: nothing. Turned, red is 2 * 0.3392 - 0.9, cut to 0.1, and
    # the others are 0.5784: negative. Blocks keep their pixels. A blur of 2 pixels reaches 6: the middle of 24 stays.
    assert kept == pytest.approx({"grey": 0.0, "hue": 0.0, "shuffled": 1.0, "blurred": 1.0}, abs=1e-5)


def test_the_numbers_of_the_texture_channel_by_hand(exemplars: cw.exemplars.Exemplars) -> None:
    kept = cw.exemplars.qualities(Handmade(), "texture", 0, exemplars).kept
    # Blocks of 8 begin at even columns, so stripes stay stripes; a Gaussian of 2 pixels leaves exp(-2 pi^2) of them in
    # the middle, and more where the picture ends.
    assert kept["grey"] == kept["hue"] == pytest.approx(1.0)
    assert kept["shuffled"] == pytest.approx(1.0)
    assert kept["blurred"] < 0.1


def test_the_changes_against_numpy(exemplars: cw.exemplars.Exemplars) -> None:
    from cnnwidgets.exemplars.qualities import _blurred, _greyed, _shuffled

    image = torch.rand(2, 3, 20, 17, generator=torch.Generator().manual_seed(5))
    shuffled = _shuffled(image)
    np.testing.assert_array_equal(shuffled[:, :, 16:], image[:, :, 16:])
    np.testing.assert_array_equal(shuffled[..., 16:], image[..., 16:])

    def blocks(batch: torch.Tensor) -> list[bytes]:
        parts = batch[0].numpy()
        return [parts[:, r : r + 8, c : c + 8].tobytes() for r in (0, 8) for c in (0, 8)]

    assert sorted(blocks(shuffled)) == sorted(blocks(image))
    assert blocks(shuffled) != blocks(image)
    grey = _greyed(image).numpy()
    expected = np.einsum("c,nchw->nhw", [0.299, 0.587, 0.114], image.numpy())
    for channel in range(3):
        np.testing.assert_allclose(grey[:, channel], expected, atol=1e-6)
    spike = torch.zeros(1, 1, 21, 21)
    spike[0, 0, 10, 10] = 1
    blurred = _blurred(spike)[0, 0].numpy()
    gauss = np.exp(-((np.arange(21) - 10.0) ** 2) / 8) * (np.abs(np.arange(21) - 10) <= 6)
    np.testing.assert_allclose(blurred, np.outer(gauss, gauss) / gauss.sum() ** 2, atol=1e-7)


def test_without_colours_or_without_activation() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU())
    with torch.no_grad():
        net[0].weight[0].fill_(1.0)
        net[0].weight[1].fill_(-1.0)
    exemplars = cw.exemplars.find(net, "1", torch.rand(12, 1, 16, 16))
    bright = cw.exemplars.qualities(net, "1", 0, exemplars)
    assert np.isnan([bright.kept["grey"], bright.kept["hue"]]).all()
    assert "colour" not in bright.sentence.rpartition(":")[0]
    dead = cw.exemplars.qualities(net, "1", 1, exemplars)
    assert np.isnan(list(dead.kept.values())).all()
    assert (dead.word, "nothing can be said" in dead.sentence) == ("mixed", True)


def test_normalised_images_are_changed_as_colours() -> None:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))

    class Normalised(Handmade):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x * std + mean)

    from cnnwidgets.pictures.preprocess import Preprocess

    preprocess = Preprocess(size=None, resize=None, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    images = cw.exemplars.Images((pictures() - mean) / std, preprocess=preprocess)
    exemplars = cw.exemplars.find(Normalised(), "colour", images)
    kept = cw.exemplars.qualities(Normalised(), "colour", 0, exemplars).kept
    assert kept == pytest.approx({"grey": 0.0, "hue": 0.0, "shuffled": 1.0, "blurred": 1.0}, abs=1e-4)
