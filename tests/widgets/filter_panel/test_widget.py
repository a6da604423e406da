"""FilterPanel: what is sent, and that no made image stands alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.widgets._still.publish import newest_push, still_png
from cnnwidgets.widgets.filter_gallery.still import split_mosaic
from cnnwidgets.widgets.filter_panel.view import FilterView
from tests.widgets.parity import python_keys, typescript_keys

RNG = np.random.default_rng(0)


def crop(height: int = 4, width: int = 6, **more: Any) -> SimpleNamespace:
    pixels = RNG.integers(0, 255, (height, width, 3)).astype(np.uint8)
    return SimpleNamespace(**{"pixels": pixels, "activation": RNG.random((2, 3)), "value": 1.5, "image": 7, **more})


def panel(*crops: SimpleNamespace) -> cw.FilterPanel:
    made = cw.FilterPanel()
    made.show_filter("conv1", 17)
    made.show_places(crops, source="Three photographs.")
    return made


def test_patches_and_activations_arrive_as_they_were() -> None:
    # The map covers columns 2 to 8 of a patch of columns 4 to 10 of the image: it begins a third of a patch before it.
    crops = [crop(), crop(3, 2, activation=None, notes=("changed",)), crop(box=(1, 4, 5, 10), extent=(1, 2, 5, 8))]
    arrays, content = newest_push(panel(*crops).view, "places")
    for sent, own in zip(split_mosaic(arrays["pixels"], arrays["sizes"]), crops, strict=True):
        np.testing.assert_array_equal(sent, own.pixels)
    assert arrays["cells"].tolist() == [[2, 3], [0, 0], [2, 3]]
    np.testing.assert_allclose(arrays["activations"][:6], crops[0].activation.ravel(), rtol=1e-6)
    np.testing.assert_allclose(arrays["extents"], [[0, 0, 1, 1], [0, 0, 1, 1], [0, -1 / 3, 1, 2 / 3]], atol=1e-6)
    assert content["names"] == ["image 7"] * 3
    assert content["notes"] == ["changed"]


def test_another_filter_takes_everything_away() -> None:
    widget = panel(crop())
    widget.show_sentence("Half of it is colour.")
    widget.show_image(torch.rand(3, 8, 8), peak=3.0, largest=2.0, about="seed 0")
    widget.show_filter("conv1", 18)
    for kind in ("places", "image"):
        assert not newest_push(widget.view, kind).arrays
    assert (widget.view.sentence, widget.view.channel) == ("", 18)
    widget.forbid("Layer 'pool' has no filters.", "pool")
    assert (widget.view.channel, widget.view.layer) == (None, "pool")


def test_no_made_image_without_photographs() -> None:
    widget = panel()
    with pytest.raises(cw.InputError, match="show_places comes first"):
        widget.show_image(torch.rand(3, 8, 8))
    widget.show_image(torch.zeros(3, 8, 8), dead=True)
    arrays, content = newest_push(widget.view, "image")
    assert arrays == {}, "grey noise is no picture of a dead filter"
    assert content["dead"] is True
    with_photographs = panel(crop())
    with_photographs.show_image(torch.rand(12, 8, 8), peak=np.nan, largest=2.0)
    content = newest_push(with_photographs.view, "image").content
    assert (content["peak"], content["largest"]) == (None, 2.0)


def test_names_must_be_as_many_as_patches() -> None:
    with pytest.raises(cw.InputError, match="1 patches and 2 names"):
        panel().show_places([crop()], names=["a", "b"])


def test_buttons_call_who_listens() -> None:
    widget, calls = panel(crop()), []
    widget.on_search, widget.on_make = lambda: calls.append("search"), lambda: calls.append("make")
    widget.on_cancel = lambda: calls.append("cancel")
    for message in ({"op": "start", "job": "places"}, {"op": "start", "job": "image"}, {"op": "cancel"}):
        widget.view._receive(None, message, [])
    assert calls == ["search", "make", "cancel"]
    widget.view._receive(None, {"op": "start", "job": "all"}, [])
    assert "expected one of places, image" in widget.view.error
    widget.begin("image", "Making")
    widget.stop("Stopped.")
    assert (widget.view.job, widget.view.progress) == ("", None)
    assert newest_push(widget.view, "stopped").content["job"] == "image"


def test_the_page_knows_the_same_traits() -> None:
    assert typescript_keys("FilterPanelState") == python_keys(FilterView)


def test_a_still_picture() -> None:
    assert still_png(cw.FilterPanel()) is not None, "its hint"
    widget = panel(crop(), crop())
    widget.show_image(torch.rand(3, 8, 8), about="seed 0")
    assert still_png(widget) is not None
    widget.close()
