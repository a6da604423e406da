"""What callers may ask of Edited, and what it says where it cannot do its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound, NotSpatial
from cnnwidgets.incremental import Edited

from . import nets
from .nets import Call, Steps

IMAGE = torch.randn(1, 2, 16, 16, generator=nets.seeded(3))
PATCH = torch.randn(2, 4, 4, generator=nets.seeded(4))
PLACES = [(0, 0), (5, 7), (12, 12), (-2, 3), (14, 15), (3, -3)]
TOPS, LEFTS = zip(*PLACES, strict=True)


def net(*more: nn.Module) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        steps = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        return nets.alive(Steps([*steps, nn.Conv2d(4, 4, 3, padding=1), *more], 4), (2, 16, 16))


def truth(model: nn.Module, image: torch.Tensor = IMAGE, patch: torch.Tensor = PATCH) -> torch.Tensor:
    return nets.one_by_one(model, image, [[(patch, *place)] for place in PLACES])


def test_by_hand() -> None:
    # A sum of 3x3 ones over 4x4 ones counts each pixel 9 times inside, 6 times at an edge, 4 times in a corner.
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(16, 1, bias=False))
    model[0].weight.data.fill_(1.0)
    model[2].weight.data.fill_(1.0)
    with Edited(model, torch.ones(1, 1, 4, 4), engine="incremental") as edited:
        assert edited.base.tolist() == [[100.0]]
        assert edited.scores(torch.zeros(1, 1, 1), [0, 0, 1], [0, 1, 1]).tolist() == [[96.0], [94.0], [91.0]]


def test_the_patch_at_and_over_the_edges() -> None:
    model = net()
    with Edited(model, IMAGE, engine="incremental") as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
        assert edited.scores(PATCH, [], []).shape == (0, 3)
        outside = edited.scores(PATCH, [-9, 99], [0, 99])
        torch.testing.assert_close(outside, edited.base.expand(2, -1))
        assert edited.engine == "incremental"
        assert edited.notes == ()


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_batches_come_in_order_whatever_their_size(batch: int) -> None:
    model = net()
    with Edited(model, IMAGE) as edited:
        found = list(edited.batches(PATCH, torch.tensor(TOPS), torch.tensor(LEFTS), batch=batch))
    assert found[0][0] == slice(0, min(batch, 6))
    torch.testing.assert_close(torch.cat([scores for _, scores in found]), truth(model))


def test_a_patch_an_edit() -> None:
    model, patches = net(), torch.randn(6, 2, 3, 5, generator=nets.seeded(8))
    with Edited(model, IMAGE) as edited:
        found = edited.scores(patches, TOPS, LEFTS)
        pictures = edited.edits(patches, TOPS, LEFTS)
    for row, (patch, place) in enumerate(zip(patches, PLACES, strict=True)):
        torch.testing.assert_close(found[row : row + 1], nets.one_by_one(model, IMAGE, [[(patch, *place)]]))
        torch.testing.assert_close(model(pictures[row : row + 1]), found[row : row + 1])


@pytest.mark.parametrize("shape", [(4, 4), (6, 4, 4)])
def test_masks_keep_the_image(shape: tuple[int, ...]) -> None:
    model, masks = net(), torch.rand(shape, generator=nets.seeded(9)) > 0.5
    expected = []
    for index, (top, left) in enumerate(PLACES):
        edited = IMAGE.clone()
        mask = masks if masks.dim() == 2 else masks[index]
        for y in range(4):
            for x in range(4):
                if mask[y, x] and 0 <= top + y < 16 and 0 <= left + x < 16:
                    edited[0, :, top + y, left + x] = PATCH[:, y, x]
        expected.append(model(edited).detach())
    for engine in ("incremental", "full"):
        with Edited(model, IMAGE, engine=engine) as edited_:
            torch.testing.assert_close(edited_.scores(PATCH, TOPS, LEFTS, masks), torch.cat(expected))


def test_any_number_of_patches_in_one_edit() -> None:
    model, small = net(), torch.ones(2, 2, 3)
    edits = [[], [(PATCH, 1, 1)], [(PATCH, 0, 0), (small, 1, 1), (PATCH, 12, 10)], [(small, 3, 3)], []]
    with Edited(model, IMAGE, engine="incremental") as edited:
        torch.testing.assert_close(edited.scores_of(edits), nets.one_by_one(model, IMAGE, edits))


def test_one_edit_at_a_time_as_in_a_drag() -> None:
    model = net()
    with Edited(model, IMAGE, engine="incremental") as edited:
        found = [edited.scores(PATCH, [top], [left]) for top, left in PLACES]
    torch.testing.assert_close(torch.cat(found), truth(model))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = net().to(dtype)
    with Edited(model, IMAGE) as edited:
        found = edited.scores(PATCH, TOPS, LEFTS)
    assert found.dtype == dtype
    exact = truth(model, IMAGE.to(dtype), PATCH.to(dtype))
    torch.testing.assert_close(found, exact, atol=64 * torch.finfo(dtype).eps, rtol=0)
    assert edited.engine == "incremental"


class Pair(NamedTuple):
    loss: torch.Tensor
    scores: torch.Tensor


class Answer:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


@pytest.mark.parametrize(
    "wrap",
    [lambda y: (y, y * 2), lambda y: {"aux": y * 3, "logits": y}, lambda y: Pair(y.sum(), y), Answer, lambda y: [y]],
)
def test_what_models_return(wrap: Any) -> None:
    inner = net()
    with Edited(nn.Sequential(inner, Call(wrap)), IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(inner))
        assert edited.engine == "incremental"


def test_reading_something_else_of_the_output() -> None:
    model = nn.Conv2d(2, 1, 3)
    with Edited(model, IMAGE, read=lambda maps: maps.mean((1, 2, 3))[:, None]) as edited:
        expected = nets.one_by_one(nn.Sequential(model, Call(lambda y: y.mean((1, 2, 3)))), IMAGE, [[(PATCH, 5, 7)]])
        torch.testing.assert_close(edited.scores(PATCH, [5], [7])[0], expected)


def test_the_model_is_as_before() -> None:
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with Edited(model, IMAGE) as edited:
        edited.scores(PATCH, TOPS, LEFTS)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_weights_that_change_in_between() -> None:
    model = net()
    with Edited(model, IMAGE) as edited:
        edited.scores(PATCH, TOPS, LEFTS)
        with torch.no_grad():
            model.linear.weight.mul_(-2.0)
            model.steps[0].weight.add_(0.5)
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
        torch.testing.assert_close(edited.base, model(IMAGE).detach())


def test_values_are_kept_between_calls_and_freed() -> None:
    model, seen = net(), []
    edited = Edited(model, IMAGE)
    edited.scores(PATCH, TOPS, LEFTS)
    kept, done = edited._engine.memo.bytes, edited.work.done
    edited.scores(PATCH, TOPS, LEFTS)
    once = edited.work.done - done
    assert kept > 0
    assert edited._engine.memo.bytes == kept
    assert once < done
    edited.close()
    assert edited._engine.memo.bytes == 0
    seen.append(edited.scores(PATCH, TOPS, LEFTS))
    torch.testing.assert_close(seen[0], truth(model))


def test_weights_made_anew_each_time_do_not_pile_up() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv2d(x, self.weight - self.weight.mean(), None, 1, 1)

    model = nn.Sequential(Standardised(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with Edited(model, IMAGE, engine="incremental") as edited:
        sizes = []
        for _ in range(12):
            torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
            sizes.append(edited._engine.memo.bytes)
        assert sizes[-1] == sizes[-2] == sizes[-3]


def test_multiply_adds_by_hand() -> None:
    # 8x8 image, one 3x3 convolution (1 -> 2 channels, padded): 18 products a place. A patch of one pixel in the middle
    # reaches 9 places, one in the corner 4. The windows kept are 3x3 for both.
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with Edited(model, torch.ones(1, 1, 8, 8)) as edited:
        edited.scores(torch.zeros(1, 1, 1), [4, 0], [4, 0])
        assert edited.work.least == 18 * (64 + 9 + 4)
        assert edited.work.done == 18 * (64 + 9 + 9)
        assert edited.work.full == 18 * (64 + 64)


class Layered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 4, 3, padding=1)
        self.linear = nn.Linear(4, 3)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x).relu_()
        return self.linear((self.second(y).relu() + y[:, :4]).mean((2, 3)))

    def after(self, maps: torch.Tensor) -> torch.Tensor:
        y = maps.clone().relu_()
        return self.linear((self.second(y).relu() + y[:, :4]).mean((2, 3)))


@pytest.mark.parametrize("engine", ["incremental", "full"])
def test_edits_of_what_a_layer_returns(engine: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Layered().eval()
    maps = model.first(IMAGE).detach()
    patches = torch.randn(6, 5, 4, 4, generator=nets.seeded(1))
    with Edited(model, IMAGE, engine=engine, layer="first") as edited:
        found = edited.scores(patches, TOPS, LEFTS)
        for row, place in enumerate(PLACES):
            expected = nets.one_by_one(Call(model.after), maps, [[(patches[row], *place)]])
            torch.testing.assert_close(found[row : row + 1], expected)
        off = maps.repeat(5, 1, 1, 1)
        off[range(5), range(5)] = 0
        torch.testing.assert_close(edited.scores(off, [0] * 5, [0] * 5), model.after(off).detach())
        assert edited.engine == engine


def test_a_layer_that_has_no_maps() -> None:
    with pytest.raises(NotSpatial, match="linear"):
        Edited(Layered(), IMAGE, layer="linear")
    with pytest.raises(LayerNotFound):
        Edited(Layered(), IMAGE, layer="third")


class Branching(nn.Module):
    """Decides by a value computed from the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        if y[:, 0].amax() > 1.6:
            y = -y
        if x.shape[0] > 3:
            y = y + 0
        return self.linear(y.relu().mean((2, 3)))


def test_control_flow_on_values_runs_one_edit_at_a_time() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = Branching().eval()
    images = [IMAGE.clone() for _ in PLACES]
    expected = truth(model, patch=PATCH * 2)
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH * 2, TOPS, LEFTS), expected)
        assert edited.engine == "incremental"
        assert "one at a time" in edited.notes[0]
    assert images


class Numpy(nn.Module):
    """Refuses tensor subclasses: leaves torch and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(torch.from_numpy(x.numpy() * 2))


def test_a_model_that_the_engine_cannot_run() -> None:
    model = Numpy().eval()
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
        assert edited.engine == "full"
        assert "in full" in edited.notes[0]
    with pytest.raises(CnnWidgetsError, match="cannot run this model"):
        Edited(model, IMAGE, engine="incremental").scores(PATCH, TOPS, LEFTS)


def test_a_wrong_rule_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnwidgets.incremental.rules import registry
    from cnnwidgets.incremental.values.edits import untouched, windowed

    def wrong(run: Any, function: Any, x: Any) -> Any:
        if x.is_untouched:
            return untouched(run, run.base(function, x))
        return windowed(run, run.base(function, x), x.win.tanh() * 1.01, (x.y, x.x), x.box)

    monkeypatch.setitem(registry.OPERATIONS, torch.ops.aten.atan, wrong)
    from cnnwidgets.incremental import dispatch

    dispatch._traits.cache_clear()
    model = net(Call(torch.atan))
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))
        assert edited.engine == "full"
        assert "differ by" in edited.notes[0]
    with pytest.raises(CnnWidgetsError, match="differ by"):
        Edited(model, IMAGE, engine="incremental").scores(PATCH, TOPS, LEFTS)
    dispatch._traits.cache_clear()


@pytest.mark.parametrize("engine", ["auto", "full"])
def test_dropout_left_in_training_mode_is_said(engine: str) -> None:
    model = net(Call(lambda x: functional.dropout(x, 0.5, training=True)))
    with Edited(model, IMAGE, engine=engine) as edited:
        edited.scores(PATCH, TOPS, LEFTS)
        assert any("not deterministic" in note for note in edited.notes)


@pytest.mark.parametrize("engine", ["auto", "full"])
def test_batch_statistics_are_refused(engine: str) -> None:
    model = net(Call(lambda x: functional.batch_norm(x, None, None, training=True)))
    with Edited(model, IMAGE, engine=engine) as edited, pytest.raises(CnnWidgetsError, match="influence one another"):
        edited.scores(PATCH, TOPS, LEFTS)


def test_bad_input() -> None:
    model = net()
    with pytest.raises(InputError, match="one image"):
        Edited(model, IMAGE.repeat(2, 1, 1, 1))
    with pytest.raises(CnnWidgetsError, match='"auto"'):
        Edited(model, IMAGE, engine="fast")
    with Edited(model, IMAGE) as edited:
        for arguments, words in [
            ((PATCH, [0, 1], [0]), "2 tops and 1 lefts"),
            ((PATCH, [0.5], [0]), "whole numbers"),
            ((PATCH[:1], [0], [0]), r"\(1, 4, 4\)"),
            ((torch.zeros(3, 2, 4, 4), [0, 1], [0, 1]), "2 places"),
            ((PATCH, [0], [0], torch.ones(3, 4, dtype=torch.bool)), "masks"),
        ]:
            with pytest.raises(InputError, match=words):
                edited.scores(*arguments)
        with pytest.raises(InputError, match="batch"):
            edited.scores(PATCH, [0], [0], batch=0)


def test_smaller_batches_when_memory_runs_out() -> None:
    inner, sizes = net(), []

    def hungry(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return x

    model = nn.Sequential(Call(hungry), inner)
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(inner))
    assert max(sizes) == 6


def test_shared_and_reused_layers() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        same = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True))
        model = Steps([nn.Conv2d(2, 4, 3, padding=1), same, nn.Tanh(), same, same], 4).eval()
    with Edited(model, IMAGE, engine="incremental") as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), truth(model))


class Aliases(nn.Module):
    """Writes through views of values in ways that code in the wild does."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.conv, self.linear = way, nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        if self.way == "before":
            z = y + 0
            y.relu_()
            y = y + z
        elif self.way == "chunk":
            one, other = y.chunk(2, 1)
            one.mul_(-1)
            y = torch.cat([y, other], 1)[:, :4]
        elif self.way == "detached":
            z = y.detach()
            z.add_(1)
        elif self.way == "permuted":
            z = y.permute(0, 2, 3, 1)
            z[..., 0] = 2
            z.sigmoid_()
        elif self.way == "dead parent":
            y = y.view(len(y), 4, *y.shape[2:])
            y.relu_()
        elif self.way == "select":
            y[:, 1] *= 3
        elif self.way == "identity":
            z = nn.Identity()(nn.Dropout()(y))
            z.abs_()
        elif self.way == "out":
            torch.add(y, 1, out=y)
        elif self.way == "copy":
            z = torch.empty_like(y)
            z.copy_(y)
            z.neg_()
            y = y + z * 2
        elif self.way == "input":
            x.mul_(2)
            y = self.conv(x)
        elif self.way == "contiguous":
            z = y.contiguous()
            z.exp_()
        elif self.way == "padded":
            z = functional.pad(y, (1, 1, 1, 1))
            z.add_(1)
            y = y + z[:, :, 1:-1, 1:-1]
        return self.linear(y.mean((2, 3)))


WAYS = ("before", "chunk", "detached", "permuted", "select", "identity", "out", "copy", "input", "contiguous", "padded")


@pytest.mark.parametrize("way", [*WAYS, "dead parent"])
def test_in_place_operations_reach_all_that_share_the_memory(way: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        model = Aliases(way).eval()
    image = IMAGE.clone()
    expected = torch.cat([truth_of(model, place) for place in PLACES])
    with Edited(model, image, engine="incremental") as edited:
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), expected)
        torch.testing.assert_close(edited.scores(PATCH, TOPS, LEFTS), expected)
    assert torch.equal(image, IMAGE)


def truth_of(model: nn.Module, place: tuple[int, int]) -> torch.Tensor:
    return nets.one_by_one(model, IMAGE, [[(PATCH, *place)]])


class Remembers(nn.Module):
    """Keeps what it computed in containers, as caches of positions do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)
        self.positions: dict[object, torch.Tensor] = {}
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv(x)
        self.seen.append(h)
        key = tuple(h.shape)
        if key not in self.positions:
            self.positions[key] = torch.ones_like(h[:, :1]).cumsum(3)
        return self.head((h + self.positions[key]).mean((2, 3)))


def test_no_edit_stays_in_the_models_own_containers() -> None:
    model = Remembers().eval()
    image = torch.randn(1, 3, 16, 16)
    with Edited(model, image) as edited:
        found = edited.scores(torch.zeros(3, 4, 4), [0, 4, 8], [0, 4, 8])
    assert [*model.positions.values(), *model.seen] == []  # as before: what our forwards left there is taken out
    with torch.no_grad():
        for index, place in enumerate((0, 4, 8)):
            alone = image.clone()
            alone[..., place : place + 4, place : place + 4] = 0
            torch.testing.assert_close(found[index : index + 1], model(alone))


class Centred(nn.Module):
    """Its images influence one another: the mean is that of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv((x - x.mean()) / x.std()).relu().mean((2, 3)))


MEETINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean of the batch": lambda x: x - x.mean(0, keepdim=True),
    "softmax over the batch": lambda x: x.softmax(0),
    "neighbour": lambda x: x + x.roll(1, 0),
    "reversed": lambda x: x + x.flip(0),
    "Gram matrix": lambda x: x + (x.flatten(1) @ x.flatten(1).t()).mean() / x[0].numel(),
    "running sum": lambda x: x.cumsum(0) / 2,
    "in place": lambda x: x.clone().sub_(x.mean(0)),
    "the one before": lambda x: torch.cat([x[:1], x[1:] + x[:-1]]),
    "the first": lambda x: x - x[:1].mean((2, 3), keepdim=True),
    "attention over images": lambda x: x + functional.scaled_dot_product_attention(*[x.flatten(1)] * 3).mean(),
    "how many": lambda x: x * len(x) ** 0.5,
    "maximum of all": lambda x: x / x.abs().max(),
    "rows of all images": lambda x: (x.transpose(0, 2) - x.transpose(0, 2).mean((1, 2), keepdim=True)).transpose(0, 2),
}


@pytest.mark.parametrize("meet", MEETINGS.values(), ids=MEETINGS)
@pytest.mark.parametrize("count", [2, 4, 8])
@pytest.mark.parametrize("whole", [False, True])
def test_every_way_in_which_images_meet_is_found_out(
    meet: Callable[[torch.Tensor], torch.Tensor], whole: bool, count: int
) -> None:
    torch.manual_seed(0)
    after = nn.AdaptiveAvgPool2d(1) if whole else nn.Identity()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), after, Call(meet), nn.Flatten(), nn.LazyLinear(3)).eval()
    image = torch.randn(1, 3, 12, 12)
    model(image)
    with Edited(model, image) as edited, pytest.raises(CnnWidgetsError, match="influence one another"):
        edited.scores(torch.zeros(3, 2, 2), list(range(count)), list(range(count)))


@pytest.mark.parametrize("options", [{"engine": "full"}, {"layer": "1"}, {}])
def test_models_that_take_views_of_their_maps(options: dict[str, Any]) -> None:
    """As they lie where the image lies as usual; the engine's own lie otherwise."""
    model = nn.Sequential(nn.Identity(), nn.ReLU(), Call(lambda x: x.view(len(x), -1)), nn.Linear(2 * 16 * 16, 3))
    with Edited(model, IMAGE, **options) as edited:
        patch = torch.ones(2, 4, 4)
        torch.testing.assert_close(edited.scores(patch, TOPS, LEFTS), truth(model, patch=patch))
        torch.testing.assert_close(edited.base, model(IMAGE).detach())


def test_a_pixel_that_is_no_number_may_be_covered() -> None:
    image = IMAGE.clone()
    image[0, 0, 1, 1] = torch.nan
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with Edited(model, image, engine="incremental") as edited:
        found = edited.scores(PATCH, [9, 0], [9, 0])
    expected = nets.one_by_one(model, image, [[(PATCH, 9, 9)], [(PATCH, 0, 0)]])
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert found[1].isfinite().all()


def test_tensors_made_anew_before_the_layer_do_not_pile_up() -> None:
    model = nn.Sequential(Call(lambda x: x.index_select(1, torch.tensor([1, 0]))), nn.Conv2d(2, 2, 3), nn.Flatten())
    with Edited(model, IMAGE, layer="1") as edited:
        sizes = []
        for _ in range(12):
            edited.scores(torch.ones(2, 2, 2), [3], [3])
            sizes.append(len(edited._engine.memo._originals))
        assert sizes[-1] == sizes[-4]


@pytest.mark.parametrize("engine", ["auto", "incremental", "full"])
def test_models_whose_images_meet_are_refused_however_small_the_edit(engine: str) -> None:
    torch.manual_seed(0)
    edited = Edited(Centred().eval(), torch.randn(1, 3, 64, 64), engine=engine)
    with pytest.raises(CnnWidgetsError, match="influence one another"):
        edited.scores(torch.zeros(3, 3, 3), [0, 16, 32], [0, 16, 32])


@pytest.mark.parametrize("engine", ["auto", "full"])
def test_scores_of_a_forward_that_switches_gradients_on_are_out_of_its_graph(engine: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                return self.head(self.convolution(x).relu().mean((2, 3)))

    edited = Edited(Net().eval(), torch.rand(1, 3, 16, 16), engine=engine)
    assert not edited.scores(torch.zeros(3, 4, 4), [0, 1], [0, 1]).requires_grad
