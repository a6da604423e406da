"""Explainers of layers whose maps lie channels last or as tokens, beside slow and plain code in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.explainers import every_layer, grad_cam
from cnnwidgets.explainers.engine.all_layers import observe

Turn = Callable[[torch.Tensor], torch.Tensor]
CAMS = {
    "grad_cam": lambda a, g: (g.mean((2, 3), keepdim=True) * a).sum(1),
    "hires_cam": lambda a, g: (g * a).sum(1),
    "layer_cam": lambda a, g: (g.clamp(min=0) * a).sum(1),
    "xgrad_cam": lambda a, g: ((g * a).sum((2, 3), keepdim=True) / a.sum((2, 3), keepdim=True) * a).sum(1),
}


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(2, (2, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(width), Attention(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches of 4 pixels, ``front`` tokens before them, ``back`` after; the first, or the mean, makes the scores."""

    def __init__(self, front: int = 1, back: int = 0, width: int = 6, size: tuple[int, int] = (12, 16)) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.front = nn.Parameter(torch.randn(1, front, width))
        self.back = nn.Parameter(torch.randn(1, back, width))
        self.place = nn.Parameter(torch.randn(1, front + back + size[0] * size[1] // 16, width))
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).mT
        sides = [side.expand(len(x), -1, -1) for side in (self.front, self.back)]
        x = torch.cat([sides[0], x, sides[1]], 1) if self.front.numel() or self.back.numel() else x
        x = self.norm(self.blocks(x + self.place))
        return self.head(x[:, 0] if self.front.shape[1] else x.mean(1))


class Turned(nn.Module):
    """Channels last all along, as in Swin and within ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.up = nn.Conv2d(3, 5, 3), nn.LayerNorm(5), nn.Linear(5, 7)
        self.act, self.head = nn.GELU(), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.up(self.norm(self.stem(x).permute(0, 2, 3, 1)))).mean((1, 2)))


def tokens_of(before: int, rows: int, columns: int) -> Turn:
    return lambda x: x[:, before : before + rows * columns].unflatten(1, (rows, columns)).permute(0, 3, 1, 2)


def turned(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def by_hand(
    net: nn.Module, x: torch.Tensor, layer: str, turn: Turn, target: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The maps of ``layer`` and the gradient of each image's score for them, one image at a time."""
    maps, gradients = [], []
    for image, of in zip(x, target, strict=True):
        kept: list[torch.Tensor] = []
        handle = net.get_submodule(layer).register_forward_hook(lambda _, __, out, kept=kept: kept.append(out))
        score = net(image[None])[0, of]
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept)
        maps.append(turn(kept[0]).detach())
        gradients.append(turn(gradient))
    return torch.cat(maps), torch.cat(gradients)


def images(count: int = 2, size: tuple[int, int] = (12, 16)) -> torch.Tensor:
    return torch.rand(count, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(3)
    return make().double().eval()


NETS: dict[str, tuple[Callable[[], nn.Module], str, Turn]] = {
    "class token": (ViT, "blocks.0", tokens_of(1, 3, 4)),
    "norm before the last attention": (ViT, "blocks.1.norm1", tokens_of(1, 3, 4)),
    "within the perceptron": (ViT, "blocks.0.mlp.1", tokens_of(1, 3, 4)),
    "patches": (ViT, "patch", lambda x: x),
    "no class token": (lambda: ViT(front=0), "norm", tokens_of(0, 3, 4)),
    "five in front": (lambda: ViT(front=5), "blocks.0", tokens_of(5, 3, 4)),
    "registers behind": (lambda: ViT(back=4), "blocks.0", tokens_of(1, 3, 4)),
    "as many tokens as channels": (lambda: ViT(width=12), "blocks.0", tokens_of(1, 3, 4)),
    "channels last": (Turned, "act", turned),
    "channels last, early": (Turned, "norm", turned),
}


@pytest.mark.parametrize("case", NETS)
@pytest.mark.parametrize("method", CAMS)
def test_maps_are_those_of_plain_code(case: str, method: str) -> None:
    make, layer, turn = NETS[case]
    net, x = seeded(make), images()
    found = explainers.get(method)(net, x, [0, 2], layer=layer)
    expected = CAMS[method](*by_hand(net, x, layer, turn, [0, 2]))
    assert float(expected.abs().max()) > 0
    torch.testing.assert_close(found.values.double(), expected, rtol=1e-6, atol=1e-7 * float(expected.abs().max()))


@pytest.mark.parametrize("case", NETS)
def test_one_pass_for_all_layers_sees_the_same(case: str) -> None:
    make, layer, turn = NETS[case]
    net, x = seeded(make), images()
    maps, gradient = by_hand(net, x, layer, turn, [0, 2])
    seen = observe(net, x, [0, 2])
    torch.testing.assert_close(seen.maps[layer], maps.float())
    torch.testing.assert_close(seen.cam[layer], CAMS["grad_cam"](maps, gradient).float())
    torch.testing.assert_close(seen.contribution[layer], (maps * gradient).sum((2, 3)).float())
    one = grad_cam(net, x, [0, 2], layer=layer)
    together = every_layer("grad_cam", net, x, [0, 2])[layer]
    torch.testing.assert_close(together.values, one.values)
    assert together.notes == one.notes
    named = every_layer("grad_cam", net, x, [0, 2], layers=[layer])[layer]
    torch.testing.assert_close(named.values, one.values)


@pytest.mark.parametrize("case", NETS)
def test_eigen_cam(case: str) -> None:
    make, layer, turn = NETS[case]
    net, x = seeded(make), images(1)
    maps = by_hand(net, x, layer, turn, [0])[0][0]
    left, strength, _ = torch.linalg.svd(maps.flatten(1).T, full_matrices=False)
    expected = left[:, 0] * strength[0]
    expected = (expected * expected.sum().sign()).view(maps.shape[1:])
    torch.testing.assert_close(
        explainers.eigen_cam(net, x, layer=layer).values[0].double(), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("case", NETS)
def test_ablation_cam_switches_off_channels_and_leaves_other_tokens(case: str) -> None:
    make, layer, turn = NETS[case]
    net, x = seeded(make), images(1)
    maps = by_hand(net, x, layer, turn, [1])[0]
    score = float(net(x)[0, 1])
    weights = []
    for channel in range(maps.shape[1]):

        def without(_: nn.Module, __: Any, out: torch.Tensor, channel: int = channel) -> torch.Tensor:
            out = out.clone()
            turn(out)[:, channel] = 0
            return out

        handle = net.get_submodule(layer).register_forward_hook(without)
        weights.append((score - float(net(x)[0, 1])) / abs(score))
        handle.remove()
    expected = torch.einsum("k,nkhw->nhw", torch.tensor(weights, dtype=torch.float64), maps)
    found = explainers.ablation_cam(net, x, 1, layer=layer)
    torch.testing.assert_close(found.values.double(), expected, rtol=1e-5, atol=1e-6)
    assert not any("reused" in note for note in found.notes)


@pytest.mark.parametrize("case", ["class token", "channels last"])
def test_score_cam_masks_with_the_maps(case: str) -> None:
    make, layer, turn = NETS[case]
    net, x = seeded(make), images(1)
    maps = by_hand(net, x, layer, turn, [1])[0]
    if case == "channels last":  # its stem does not pad: cell 0 lies on pixel 1, and the border has none of its own
        large = nn.functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    else:
        large = nn.functional.interpolate(maps, x.shape[2:], mode="bilinear")
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    scores = net(x * ((large - low) / (high - low)).transpose(0, 1))[:, 1]
    expected = torch.einsum("k,nkhw->nhw", scores.softmax(0), maps).detach()
    found = explainers.score_cam(net, x, 1, layer=layer, score="logit")
    torch.testing.assert_close(found.values.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (ViT, "blocks.1.norm1"),  # only the class token is read after the last attention
        (lambda: ViT(front=0), "norm"),
        (Turned, "act"),
    ],
)
def test_the_layer_by_default_is_the_last_that_speaks(make: Callable[[], nn.Module], layer: str) -> None:
    net, x = seeded(make), images(1)
    found = grad_cam(net, x, 1)
    assert found.layer == layer
    assert float(found.values.abs().max()) > 0
    assert not any("zero everywhere" in note for note in found.notes)
    assert explainers.eigen_cam(net, x).layer == explainers.ablation_cam(net, x).layer == layer
    assert observe(net, x).default == layer


def test_a_class_token_that_alone_is_read_leaves_the_others_without_gradient() -> None:
    found = grad_cam(seeded(ViT), images(1), 1, layer="blocks")
    assert not found.values.any()
    assert any("zero everywhere" in note for note in found.notes)


def test_notes_say_which_tokens_were_dropped() -> None:
    def note(net: nn.Module) -> tuple[str, ...]:
        return tuple(one for one in grad_cam(net, images(1), 1, layer="blocks.0").notes if "token" in one)

    assert note(seeded(ViT)) == ("class token dropped: 12 of 13 tokens form a 3 × 4 map",)
    assert note(seeded(lambda: ViT(front=5))) == ("first 5 tokens dropped: 12 of 17 tokens form a 3 × 4 map",)
    assert note(seeded(lambda: ViT(back=4))) == (
        "class token and last 4 tokens dropped: 12 of 17 tokens form a 3 × 4 map",
    )
    assert not any("token" in one for one in grad_cam(seeded(Turned), images(1), 1, layer="act").notes)


class Gridless(nn.Module):
    """Tokens of patches that were cut out by an index, so that nothing tells their grid."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.embed = nn.Identity(), nn.Linear(48, 6)
        self.block, self.head = Block(6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        order = torch.arange(x[0].numel()).view(3, 3, 4, 4, 4).permute(1, 3, 0, 2, 4).flatten()
        return self.head(self.block(self.embed(x.flatten(1)[:, order].view(len(x), 12, 48))).mean(1))


def test_a_grid_that_cannot_be_told_is_asked_for() -> None:
    net, x = seeded(Gridless), images()
    with pytest.raises(
        NotSpatial, match=r"'block' returns \(2, 12, 6\), without height.*pass tokens=, \(rows, columns\)"
    ):
        grad_cam(net, x, [0, 2], layer="block")
    with pytest.raises(NotSpatial, match="tokens="):
        grad_cam(net, x)
    expected = CAMS["grad_cam"](*by_hand(net, x, "block.norm1", tokens_of(0, 3, 4), [0, 2]))
    asked: list[Any] = [(3, 4), [3, 4], tokens_of(0, 3, 4)]
    for tokens in asked:
        found = grad_cam(net, x, [0, 2], layer="block.norm1", tokens=tokens)
        torch.testing.assert_close(found.values.double(), expected, rtol=1e-6, atol=1e-8)
        together = every_layer("grad_cam", net, x, [0, 2], layers=["block.norm1"], tokens=tokens)
        torch.testing.assert_close(together["block.norm1"].values, found.values)
    assert "the 12 tokens were read as a 3 × 4 map" in grad_cam(net, x, tokens=(3, 4)).notes
    assert grad_cam(net, x, tokens=(3, 4)).layer == "block"
    assert {"embed", "block.norm1", "block"} <= set(every_layer("hires_cam", net, x, tokens=(3, 4)))


def test_a_function_may_pick_and_rearrange() -> None:
    net, x = seeded(ViT), images()
    pick = tokens_of(1, 3, 4)
    for method in ("grad_cam", "eigen_cam", "ablation_cam", "score_cam", "layer_cam"):
        ours = explainers.get(method)(net, x, [0, 2], layer="blocks.0")
        asked = explainers.get(method)(net, x, [0, 2], layer="blocks.0", tokens=pick)
        torch.testing.assert_close(asked.values, ours.values)
    half = grad_cam(net, x, [0, 2], layer="blocks.0", tokens=lambda t: pick(t)[:, :, :2])
    maps, gradient = by_hand(net, x, "blocks.0", lambda t: pick(t)[:, :, :2], [0, 2])
    torch.testing.assert_close(half.values.double(), CAMS["grad_cam"](maps, gradient), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (lambda t: t, r"output, \(2, 13, 6\), into maps .* it returned \(2, 13, 6\)"),
        (lambda t: t.unflatten(1, (3, 4)), "it raised RuntimeError"),
        (lambda _: 5, "it returned int"),
        (lambda t: 2 * tokens_of(1, 3, 4)(t), "it changes them"),
        (lambda t: tokens_of(1, 3, 4)(t).float(), "it changes them"),
        (lambda t: tokens_of(1, 3, 4)(t).repeat(1, 1, 2, 2), "it repeats some"),
        (lambda t: tokens_of(1, 3, 4)(t).flip(0), "it mixes images"),
        (lambda t: tokens_of(1, 3, 4)(t)[:1], r"it returned \(1, 6, 3, 4\)"),
        ((3, 0), r"tokens is \(3, 0\); expected None"),
        ((3, 4, 1), "expected None"),
        ("3x4", "expected None"),
    ],
)
def test_other_tokens_are_refused(tokens: Any, message: str) -> None:
    net = seeded(ViT)
    with pytest.raises(InputError, match=message):
        grad_cam(net, images(), layer="blocks.0", tokens=tokens)
    assert not any(module._forward_hooks for module in net.modules())


def test_a_grid_beside_what_was_followed_is_refused() -> None:
    with pytest.raises(InputError, match=r"tokens is \(6, 2\), but .* 'norm', \(2, 12, 6\), is a grid of \(3, 4\)"):
        grad_cam(seeded(lambda: ViT(front=0)), images(), layer="norm", tokens=(6, 2))


def test_a_function_needs_a_layer() -> None:
    net = seeded(ViT)
    for ask in (
        lambda: grad_cam(net, images(), tokens=tokens_of(1, 3, 4)),
        lambda: every_layer("grad_cam", net, images(), tokens=tokens_of(1, 3, 4)),
        lambda: every_layer("hires_cam", net, images(), tokens=tokens_of(1, 3, 4)),
    ):
        with pytest.raises(InputError, match="say with layer= for which layer"):
            ask()


def test_layers_without_a_place_say_why() -> None:
    net, x = seeded(ViT), images(1)
    with pytest.raises(NotSpatial, match=r"'head' returns \(1, 3\), without height and width"):
        grad_cam(net, x, layer="head")
    with pytest.raises(NotSpatial, match=r"'block' returns \(1, 12, 6\),.* not the tokens of a grid of 5 × 4"):
        grad_cam(seeded(Gridless), x, layer="block", tokens=(5, 4))


def test_sequence_first_tokens_are_turned_too() -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.cls = nn.Conv2d(3, 6, 4, 4), nn.Parameter(torch.randn(1, 1, 6))
            self.norm, self.attend = nn.LayerNorm(6), nn.MultiheadAttention(6, 2)
            self.head = nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.patch(x).flatten(2).permute(2, 0, 1)
            x = self.norm(torch.cat([self.cls.expand(-1, x.shape[1], -1), x]))
            return self.head((x + self.attend(x, x, x)[0])[0])

    net, x = seeded(First), images()
    expected = CAMS["hires_cam"](*by_hand(net, x, "norm", lambda t: tokens_of(1, 3, 4)(t.transpose(0, 1)), [0, 2]))
    found = explainers.hires_cam(net, x, [0, 2])
    assert found.layer == "norm"
    torch.testing.assert_close(found.values.double(), expected, rtol=1e-6, atol=1e-8)
    ablated = explainers.ablation_cam(net, x, [0, 2])
    one_by_one = [explainers.ablation_cam(net, x[i : i + 1], [0, 2][i]).values for i in range(2)]
    torch.testing.assert_close(ablated.values, torch.cat(one_by_one))


def test_half_precision_and_frozen_and_no_trace() -> None:
    net = seeded(ViT)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    expected = grad_cam(net, images(), [0, 2])
    found = grad_cam(net.to(torch.bfloat16), images(), [0, 2])
    assert found.layer == expected.layer
    assert float((found.values - expected.values).abs().max()) < 0.1 * float(expected.values.abs().max())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_failing_function_leaves_no_hook_and_no_other_error() -> None:
    net = seeded(ViT)

    def broken(_: torch.Tensor) -> torch.Tensor:
        raise CnnWidgetsError("mine")

    with pytest.raises(CnnWidgetsError, match=r"^mine$"):
        grad_cam(net, images(), layer="blocks.0", tokens=broken)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
