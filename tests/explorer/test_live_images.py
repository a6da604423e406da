"""An image that changes while it is explored: that of an ImageInput, the reader's or the Explorer's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from tests.explorer import nets

RNG = np.random.default_rng(0)


def scores(image: np.ndarray) -> torch.Tensor:
    """What the network says of (H, W, 3) uint8, as it comes."""
    picture = cw.explore(nets.plain(), image)
    logits = picture._scene.logits.clone()
    picture.close()
    return logits


def test_every_change_goes_on_to_the_explorer() -> None:
    first, second = (RNG.integers(0, 255, (48, 48, 3)).astype(np.uint8) for _ in range(2))
    image_input = cw.ImageInput(first)
    explorer = cw.explore(nets.plain(), image_input)
    explorer.wait(60)
    assert explorer.pictures == ["image input"]
    torch.testing.assert_close(explorer._scene.logits, scores(first))
    image_input.image = second
    explorer.wait(60)
    torch.testing.assert_close(explorer._scene.logits, scores(second))
    # A few pixels count, and a change that the owner makes is no news.
    image_input.edits = [{"op": "draw", "points": [[0.5, 0.5]], "width": 0.02, "color": "#ffffff"}]
    explorer.wait(60)
    torch.testing.assert_close(explorer._scene.logits, scores(image_input.image))
    assert not torch.equal(explorer._scene.logits, scores(second))
    assert not [note for note in explorer._view.bar.notes if "has changed" in note]
    image_input.edits = []
    explorer.wait(60)
    torch.testing.assert_close(explorer._scene.logits, scores(second))
    explorer.close()
    image_input.image = first
    assert image_input.error == ""


def test_an_image_input_without_an_image() -> None:
    with pytest.raises(cw.InputError, match="holds no image yet"):
        cw.explore(nets.plain(), cw.ImageInput(samples={}))


def test_edit_opens_the_photograph_and_closes_again() -> None:
    image = RNG.integers(0, 255, (48, 48, 3)).astype(np.uint8)
    explorer = cw.explore(nets.plain(), {"a": image, "b": torch.rand(1, 3, 48, 48)})
    bar = explorer.children[0]
    bar._receive(None, {"op": "edit"}, [])
    own = explorer.image_input
    assert explorer.children[1] is own
    assert np.array_equal(own.image, image)
    assert (own.name, explorer.picture) == ("a", "a")
    own.edits = [{"op": "rotate", "degrees": 180}]
    explorer.wait(60)
    assert explorer.picture == "edited image"
    torch.testing.assert_close(explorer._scene.logits, scores(image[::-1, ::-1]))
    bar._receive(None, {"op": "edit"}, [])
    assert (explorer.image_input, len(explorer.children)) == (None, 2)
    explorer.picture = "b"
    explorer.wait(60)
    explorer.edit_image()
    assert np.array_equal(explorer.image_input.image, explorer._scene.picture.pixels)
    explorer.close()
    assert explorer.image_input is None
