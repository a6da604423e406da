"""Attention over tokens with a class token beside them, and normalisation of each image by itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.incremental.rules import by_image  # noqa: F401  # adds its rules
from cnnwidgets.tracing.layouts.token_layout import TokenLayout


class Block(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.norm, self.qkv, self.out, self.way = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(2, (2, -1)).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, 2))
        if self.way == "mask":
            mixed = functional.scaled_dot_product_attention(q, k, v, torch.ones(17, 17).tril().bool())
        elif self.way == "names":
            mixed = functional.scaled_dot_product_attention(query=q, key=k, value=v, scale=0.3)
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(1, 2).flatten(2))


class ViT(nn.Module):
    """Sixteen patches of 4 pixels and a class token."""

    def __init__(self, way: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.front = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.blocks, self.head = nn.Sequential(Block(way), Block(way), Block(way)), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.front.expand(len(x), -1, -1), self.patch(x).flatten(2).mT], 1)
        return self.head(self.blocks(x)[:, 0])


IMAGE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("way", ["", "mask", "names"])
def test_what_precedes_a_layer_of_tokens(way: str) -> None:
    net = ViT(way).eval()
    maps = torch.randn(5, 8, 4, 4, generator=torch.Generator().manual_seed(2))
    edits = LayerEdits(
        net, IMAGE, "blocks.1", 0, read=lambda out, _: out[:, 1], form=TokenLayout("ntc", (4, 4), before=1)
    )
    tokens = torch.cat([net.front, net.patch(IMAGE).flatten(2).mT], 1)
    held = torch.cat([net.blocks[:2](tokens)[:, :1].expand(5, -1, -1), maps.flatten(2).mT], 1)
    expected = net.head(net.blocks[2](held)[:, 0])[:, 1]
    found = [edits.scores(now, lambda numbers: maps[list(numbers)]) for now in ([0, 1, 2], [3, 4])]
    torch.testing.assert_close(torch.cat(found), expected)
    assert edits.reused
    # Of linear layers, those of the third block, on 17 tokens, and the head are all that runs for each edit.
    assert edits.work.full == 5 * (17 * (8 * 24 + 8 * 8) + 8 * 3)


@torch.no_grad()
def test_patches_on_the_image() -> None:
    net = ViT().eval()
    places = [0, 4, 9]
    with Edited(net, IMAGE, engine="incremental") as edited:
        found = edited.scores(torch.zeros(3, 4, 4), places, places)
    images = IMAGE.repeat(3, 1, 1, 1)
    for image, place in zip(images, places, strict=True):
        image[:, place : place + 4, place : place + 4] = 0
    torch.testing.assert_close(found, net(images))


@torch.no_grad()
def test_tokens_that_differ_from_edit_to_edit_stay_apart() -> None:
    class Rows(ViT):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            places = torch.arange(len(x), dtype=x.dtype)[:, None, None] * self.front
            return self.head(torch.cat([places, self.patch(x).flatten(2).mT], 1).mean(1))

    net = Rows().eval()
    edits = LayerEdits(net, IMAGE, "patch", 0, read=lambda out, _: out[:, 1])
    maps = torch.randn(3, 8, 4, 4, generator=torch.Generator().manual_seed(2))
    edits._checked = True  # the model tells edits apart by their place in the batch, which the check would refuse
    rows = torch.cat([torch.arange(3.0)[:, None, None] * net.front, maps.flatten(2).mT], 1)
    torch.testing.assert_close(
        edits.scores([0, 1, 2], lambda numbers: maps[list(numbers)]), net.head(rows.mean(1))[:, 1]
    )


@torch.no_grad()
@pytest.mark.parametrize(
    "norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.InstanceNorm2d(4, track_running_stats=True)]
)
def test_normalisation_by_image(norm: nn.Module) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), norm, nn.Conv2d(4, 4, 3), nn.Tanh(), nn.Flatten(2), nn.Flatten(), nn.LazyLinear(2)
    )
    net.eval()(IMAGE)
    maps = torch.randn(5, 4, 12, 12, generator=torch.Generator().manual_seed(2))
    edits = LayerEdits(net, IMAGE, "2", 0, read=lambda out, _: out[:, 1])
    found = [edits.scores(now, lambda numbers: maps[list(numbers)]) for now in ([0, 1, 2], [3, 4])]
    torch.testing.assert_close(torch.cat(found), net[3:](maps)[:, 1])
    assert edits.reused
    assert edits.work.full == 5 * 4 * 144 * 2
    with Edited(net, IMAGE, engine="incremental") as edited:
        patched = edited.scores(torch.ones(3, 5, 5), [2, 7], [3, 11])
    images = IMAGE.repeat(2, 1, 1, 1)
    images[0, :, 2:7, 3:8] = 1
    images[1, :, 7:12, 11:16] = 1
    torch.testing.assert_close(patched, net(images))
