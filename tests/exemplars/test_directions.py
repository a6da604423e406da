"""Patches of weighted sums of channels, against one image after another by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnwidgets.core.errors import InputError, NotSpatial
from cnnwidgets.exemplars import direction_crops
from tests.explorer import nets


@torch.no_grad()
def test_the_places_are_those_of_brute_force() -> None:
    torch.manual_seed(0)
    net, images, directions = nets.plain(), torch.rand(23, 3, 24, 24), torch.randn(3, 8)
    found = direction_crops(net, "4", directions, images, k=4)
    sums = torch.stack([torch.einsum("khw,dk->dhw", net[:5](image[None])[0], directions) for image in images])
    peaks = sums.amax((2, 3))
    for direction, crops in enumerate(found):
        order = peaks[:, direction].argsort(descending=True)[:4].tolist()
        assert [crop.image for crop in crops] == order
        for crop in crops:
            own = sums[crop.image, direction]
            assert crop.value == pytest.approx(float(own.max()), rel=1e-5)
            assert float(own[crop.cell]) == pytest.approx(crop.value, rel=1e-5)
            top, left, bottom, right = crop.box
            pixels = images[crop.image, :, top:bottom, left:right].permute(1, 2, 0) * 255
            np.testing.assert_allclose(crop.pixels, pixels, atol=1)
            assert crop.activation is not None
            assert crop.activation.max() == pytest.approx(crop.value, rel=1e-5)


def test_directions_that_do_not_fit_and_a_layer_without_maps() -> None:
    net, images = nets.plain(), torch.rand(2, 3, 24, 24)
    with pytest.raises(InputError, match="one for each channel of layer '4'"):
        direction_crops(net, "4", torch.ones(2, 7), images)
    with pytest.raises(NotSpatial):
        direction_crops(net, "7", torch.ones(2, 5), images)
