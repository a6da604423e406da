"""A picture of an Explorer, and a state that another one is brought to; states that are wrong, hostile or of others."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.snapshots.picture import still_explorer
from cnnwidgets.snapshots.state import checked_state, restore
from cnnwidgets.widgets._still import parts
from tests.explorer import nets
from tests.soak.actions import network

LABELS = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture
def images() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {"dark": torch.rand(1, 3, 24, 24) - 1, "bright": torch.rand(1, 3, 24, 24)}


@pytest.fixture
def e(images: dict[str, torch.Tensor]) -> Iterator[cw.Explorer]:
    explorer = cw.explore(nets.plain(), images, labels=LABELS)
    yield explorer
    explorer.close()


def arranged(e: cw.Explorer) -> cw.Explorer:
    """Everything that a state holds is another than at the beginning."""
    e.picture = "bright"
    e.wait(20)
    e.layer, e.channel, e.target, e.method = "1", 3, "dog", "occlusion"
    e.overlay.settings = [dict(setting, value=4) for setting in e.overlay.settings]
    e.wait(20)
    e.feature_maps.off = [1, 2]
    e._panels.switching.scale("3", 0.5)
    e.wait(20)
    e.overlay.opacity, e.overlay.clip, e.overlay.diverging, e.overlay.smooth = 0.3, 2.0, "purple-green", False
    e.feature_maps.sort, e.feature_maps.colormap = "mean", "viridis"
    e.scores.score, e.scores.more = "logit", True
    e.overlay.follow = False
    e.panel = "hide"
    e.occluder.patches = [{"top": 2, "left": 3, "height": 5, "width": 6, "fill": "black"}]
    e.wait(20)
    return e


def test_a_state_brings_another_explorer_to_the_same(e: cw.Explorer, images: dict[str, torch.Tensor]) -> None:
    snapshot = arranged(e).snapshot()
    state = json.loads(json.dumps(snapshot.state))
    again = cw.explore(nets.plain(), images, labels=LABELS, state=state)
    again.wait(20)
    try:
        assert (again.picture, again.layer, again.channel, again.target) == ("bright", "1", 3, 3)
        assert (again.method, again.panel, again.overlay.follow) == ("occlusion", "hide", False)
        assert again.feature_maps.off == [1, 2]
        assert again.occluder.patches == e.occluder.patches
        assert (again.overlay.opacity, again.overlay.clip, again.overlay.diverging) == (0.3, 2.0, "purple-green")
        assert [setting["value"] for setting in again.overlay.settings] == [4, 4]
        assert (again.scores.score, again.scores.more) == ("logit", True)
        assert again.attribution is not None
        assert e.attribution is not None
        assert torch.equal(again.attribution.values, e.attribution.values)
        assert torch.equal(again._scene.logits, e._scene.logits)
        assert again.snapshot().state == snapshot.state
        assert again._view.bar.notes == e._view.bar.notes
    finally:
        again.close()


def test_the_overlay_is_restored_where_its_slider_lacks_the_layer() -> None:
    net = network()  # the normalisation is a layer with maps, not one that the slider offers
    e = cw.explore(net, torch.rand(1, 3, 20, 20))
    e.overlay.layer = "2"
    e.layer = "1"
    e.wait(20)
    assert (e.layer, e.overlay.layer, e.overlay.follow) == ("1", "2", True)
    again = cw.explore(net, torch.rand(1, 3, 20, 20), state=e.snapshot().state)
    again.wait(20)
    assert (again.layer, again.overlay.layer, again.overlay.follow) == ("1", "2", True)
    e.close()
    again.close()


def test_a_class_that_nobody_chose_is_followed(e: cw.Explorer, images: dict[str, torch.Tensor]) -> None:
    state = e.snapshot().state
    assert state["target"] is None
    with torch.no_grad():
        other = nets.plain()
        other[7].bias[(e.target + 1) % 5] += 5
    again = cw.explore(other, images, labels=LABELS, state=state)
    assert again.target == (e.target + 1) % 5
    assert any("of another network, or of other weights (Sequential)" in note for note in again._view.bar.notes)
    again.close()


def test_of_another_network_and_photograph_it_is_used_as_far_as_it_fits(e: cw.Explorer) -> None:
    state = arranged(e).snapshot().state
    torch.manual_seed(2)
    again = cw.explore(nets.colours(), torch.rand(1, 3, 16, 16), state=state)
    again.wait(20)
    notes = " ".join(again._view.bar.notes)
    assert "another network" in notes
    assert "The state is of another photograph (bright)" in notes
    assert "channel: No channel 3: layer '1' has 3" in notes
    assert "target: Class 3 is out of range" in notes
    assert "scales: there is no layer '3'" in notes
    assert (again.layer, again.channel, again.method, again.panel) == ("1", None, "occlusion", "hide")
    assert again.feature_maps.off == [1, 2]
    assert again.status == "ready"
    again.close()


def test_a_function_cannot_be_kept(images: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.plain(), images, target=lambda out: out[:, 0] - out[:, 1])
    state = e.snapshot().state
    e.close()
    assert state["function"] == "<lambda>"
    again = cw.explore(nets.plain(), images, state=state)
    assert any("a function, which a state cannot hold" in note for note in again._view.bar.notes)
    again.close()


def test_the_picture_is_the_still_one_at_twice_its_size(e: cw.Explorer) -> None:
    e.panel = "look"
    png, _ = e.snapshot()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    small = parts.framed(parts.column([parts.paragraph(e._still_title(), size=14), still_explorer(e)]))
    assert abs(picture.width - 2 * small.width) <= 2
    assert abs(picture.height - 2 * small.height) <= 40  # letters of twice the size may break their lines elsewhere
    if picture.height == 2 * small.height:
        shrunk = np.asarray(picture.resize(small.size, Image.Resampling.BOX), float)
        assert np.abs(shrunk - np.asarray(small, float)).mean() < 6
    hidden = e.snapshot().png
    e.panel = "hide"
    assert Image.open(io.BytesIO(e.snapshot().png)).height > Image.open(io.BytesIO(hidden)).height
    assert parts.px(10) == 10  # and what follows is drawn at its own size


def test_a_closed_explorer_has_none(e: cw.Explorer) -> None:
    e.close()
    with pytest.raises(cw.CnnWidgetsError, match="closed"):
        e.snapshot()


WRONG: list[tuple[Any, str]] = [
    ("rm -rf", "state is 'rm -rf'"),
    ([1, 2], "state is a list of 2"),
    ({"evil": "__import__('os')"}, "state has the key 'evil', which is none of version"),
    ({"layer": 3}, "layer of state is 3"),
    ({"channel": True}, "channel of state is True"),
    ({"channel": -1}, "channel of state is -1"),
    ({"target": "cat"}, "target of state is 'cat'"),
    ({"panel": "bin"}, "panel of state is 'bin'"),
    ({"version": 2}, "version of state is 2"),
    ({"overlay": {"opacity": 2}}, "overlay of state is opacity of it is 2"),
    ({"overlay": {"sign": "up"}}, "overlay of state is sign of it is 'up'"),
    ({"overlay": {"smooth": 1}}, "overlay of state is smooth of it is 1"),
    ({"overlay": {"_esm": "alert(1)"}}, "it has the key '_esm'"),
    ({"overlay": []}, "overlay of state is a list of 0; expected a mapping"),
    ({"settings": {"patch": "os.system"}}, "settings of state is 'os.system'"),
    ({"settings": {"patch": math.nan}}, "state holds nan instead of a finite number"),
    ({"off": {"1": [0, "x"]}}, "off of state is 'x'"),
    ({"off": {1: [0]}}, "state holds a mapping whose keys are no texts"),
    ({"scales": {"1": 3}}, "scales of state is 3"),
    ({"patches": [{"top": 0}]}, "patches of state"),
    ({"patches": [[0, 0, 1, 1]]}, "patches of state"),
    ({"layer": "x" * 2000}, "layer of state is a text of 2,000 characters"),
    ({"layer": object()}, "state holds a object, which is no JSON"),
    ({"region": [1] * 5}, "region of state is a list of 5"),
]


@pytest.mark.parametrize(("state", "said"), WRONG, ids=[text for _, text in WRONG])
def test_a_wrong_state_is_refused_by_its_key(state: Any, said: str) -> None:
    with pytest.raises(cw.InputError) as caught:
        checked_state(state)
    assert said in str(caught.value)


def test_it_is_refused_before_anything_is_made(images: dict[str, torch.Tensor]) -> None:
    with pytest.raises(cw.InputError, match="panel of state"):
        cw.explore(nets.plain(), images, state={"panel": "bin"})


def junk(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON, and some that is none."""
    leaves = [None, True, -1, 3, 2**60, 0.5, math.inf, "", "1", "grad_cam", "../..", "<b>", b"\0", object(), {1}]
    if depth > 2 or draw.random() < 0.6:
        return draw.choice(leaves)
    entries = [junk(draw, depth + 1) for _ in range(draw.randrange(4))]
    return entries if draw.random() < 0.5 else {draw.choice(["top", "opacity", "0", "x"]): one for one in entries}


def mutated(draw: random.Random, value: Any) -> Any:
    """Another value of the same kind, which may fit and may not."""
    if isinstance(value, str):
        return draw.choice(["", "0", "4", "7", "nowhere", "occlusion", "saliency", "look", "dark"])
    if isinstance(value, dict):
        return {key: value[key] for key in value if draw.random() < 0.5}
    if isinstance(value, list):
        return value[: draw.randrange(len(value) + 1)]
    return draw.choice([None, 0, 1, 2, 99])


def test_whatever_it_holds_it_is_refused_clearly_or_restored(e: cw.Explorer) -> None:
    draw = random.Random(4)  # noqa: S311
    right = arranged(e).snapshot().state
    refused = restored = longest = 0
    for _ in range(400):
        state = dict(right) if draw.random() < 0.7 else {}
        for _ in range(draw.randrange(1, 4)):
            key = draw.choice([*right, "more"])
            state[key] = junk(draw) if draw.random() < 0.3 else mutated(draw, right.get(key))
        try:
            checked = checked_state(state)
        except cw.InputError as error:
            refused += 1
            longest = max(longest, len(str(error)))
            continue
        restored += 1
        if restored % 6 == 0:  # each is an Explorer's work
            assert all(isinstance(sentence, str) for sentence in restore(e, checked))
            e.wait(20)
            assert e.status in ("ready", "error")
            assert e.layer in e._scene.maps
    assert longest < 2000
    assert refused > 100
    assert restored > 60
