"""Work that takes time: it fails, is stopped, or is overtaken by the next wish."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.core.progress import Step
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map

Register = Callable[[str, Callable[..., Any]], None]


class Endless:
    """An explainer that never ends by itself."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = False

    def __call__(self, model: Any, images: torch.Tensor, target: Any = None, *, progress: Any = None) -> NoReturn:
        partial = cw.explainers.saliency(model, images, target)
        while True:
            try:
                progress(Step(3, 10, 0.1, 60.0, partial))
            except cw.Cancelled:
                self.stopped = True
                raise
            self.started.set()
            time.sleep(0.01)


@pytest.fixture
def endless(registered: Register) -> Endless:
    method = Endless()

    def endless(model: Any, images: Any, target: Any = None, *, progress: Any = None) -> Any:
        return method(model, images, target, progress=progress)

    registered("endless", endless)
    return method


def _failing(model: Any, images: Any, target: Any = None) -> Any:
    raise ValueError("no such thing <b>")


def test_a_failing_explainer_says_so_and_another_works(registered: Register, pictures: dict[str, torch.Tensor]) -> None:
    registered("failing", _failing)
    e = cw.explore(nets.plain(), pictures)
    before = shown_map(e)
    assert ["failing", "Failing", "", "test"] in e.overlay.methods
    e.method = "failing"
    e.wait(20)
    assert (e.status, e.message) == ("error", "no such thing <b>")
    assert e._view.bar.error == "no such thing <b>"
    assert "ValueError: no such thing <b>" in e._view.bar.error_details
    assert "_failing" in e._view.bar.error_details
    assert pushed(e.overlay, "map")[0]["message"] == "Failing gave no map. No such thing <b>."
    assert (e._view.bar.busy, e.overlay.busy, e._view.bar.progress) == (False, False, None)
    e.method = "grad_cam"
    e.wait(20)
    assert (e.status, e.message, e._view.bar.error) == ("ready", "", "")
    np.testing.assert_array_equal(shown_map(e), before)


def test_a_cancelled_occlusion_keeps_what_is_done(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.plain(), torch.rand(1, 3, 160, 160))
    stop_at_the_first_partial = threading.Event()

    def seen(change: Any) -> None:
        if e.overlay.caption.startswith("Occlusion") and not stop_at_the_first_partial.is_set():
            stop_at_the_first_partial.set()
            e.cancel()

    e.overlay.observe(seen, "caption")
    e.method = "occlusion"
    assert (e.status, e._view.bar.busy, e.overlay.busy) == ("busy", True, True)
    e.wait(60)
    assert stop_at_the_first_partial.is_set()
    assert (e.status, e.message, e.method) == ("cancelled", "Cancelled.", "occlusion")
    assert np.isfinite(shown_map(e)).all()  # what is not known is interpolated, and said to be
    assert any(note["text"].startswith("Partial: ") for note in e.overlay.notes)
    assert pushed(e.overlay, "map")[0]["partial"] is True
    assert any("Stopped at" in note["text"] for note in e.overlay.notes)
    assert (e._view.bar.busy, e._view.bar.progress) == (False, None)


def test_occlusion_runs_to_the_end_and_is_kept(e: cw.Explorer) -> None:
    e.method = "occlusion"
    e.wait(60)
    assert e.status == "ready"
    x = e._scene.picture.tensor
    expected = cw.explainers.occlusion(nets.plain(), x, e.target, patch=3, stride=1)
    np.testing.assert_allclose(shown_map(e), expected.values[0], atol=1e-6)
    attribution = e.attribution
    e.method = "saliency"
    e.wait(20)
    assert e.attribution is not attribution
    e.method = "occlusion"
    e.wait(60)
    assert e.attribution is attribution, "not computed again"
    np.testing.assert_allclose(shown_map(e), expected.values[0], atol=1e-6)


def test_progress_is_told_with_the_time_left(endless: Endless, e: cw.Explorer) -> None:
    told: list[str] = []
    e.observe(lambda change: told.append(change["new"]), "message")
    e.method = "endless"
    assert endless.started.wait(10)
    e.cancel()
    e.wait(20)
    assert told == ["Endless …", "Endless 30 % · 60 s left", "Cancelled."]
    assert e.status == "cancelled"


def test_the_newest_target_wins(e: cw.Explorer) -> None:
    for target in (0, 1, 2, 3, 0, 1):
        e.target = target
    e.wait(20)
    assert (e.target, e.scores.target, e.overlay.caption) == (1, 1, "Grad-CAM · 4 → bee (1)")
    expected = cw.explainers.grad_cam(nets.plain(), e._scene.picture.tensor, 1, layer="4").values[0]
    np.testing.assert_allclose(shown_map(e), expected, rtol=1e-4, atol=1e-7)
    assert e.status == "ready"


@pytest.mark.parametrize("then", [("method", "grad_cam"), ("method", "saliency"), ("target", 2), ("picture", "bright")])
def test_running_work_gives_way(endless: Endless, e: cw.Explorer, then: tuple[str, Any]) -> None:
    e.method = "endless"
    assert endless.started.wait(10)
    if then[0] != "method":
        e.method = "saliency"  # else the new class or picture would be explained endlessly, too
    setattr(e, *then)
    e.wait(20)
    assert endless.stopped
    assert (e.status, e.message) == ("ready", "")
    assert getattr(e, then[0]) == then[1]
    method = {"grad_cam": "Grad-CAM · 4", "saliency": "Saliency"}[e.method]
    assert e.overlay.caption == f"{method} → {e.scores.label(e.target)} ({e.target})"
    assert not any("Stopped" in note["text"] for note in e.overlay.notes)
    assert e._view.bar.progress is None


def test_a_layer_can_be_looked_at_while_work_runs(endless: Endless, e: cw.Explorer) -> None:
    e.method = "endless"
    assert endless.started.wait(10)
    e.layer = "1"
    e.channel = 3
    assert (e.feature_maps.layer, e.feature_maps.channel, e.status) == ("1", 3, "busy")
    e.cancel()
    e.wait(20)


def test_wait_gives_up_in_time(endless: Endless, e: cw.Explorer) -> None:
    e.method = "endless"
    with pytest.raises(TimeoutError):
        e.wait(0.2)
    e.cancel()


def test_another_picture_keeps_layer_channel_method_and_a_chosen_class(e: cw.Explorer) -> None:
    e.layer, e.channel, e.method, e.target = "1", 3, "saliency", 2
    e.wait(20)
    e.picture = "bright"
    e.wait(20)
    assert (e.layer, e.channel, e.method, e.target, e.status) == ("1", 3, "saliency", 2, "ready")
    assert (e.feature_maps.layer, e.feature_maps.channel, e.graph.selected) == ("1", 3, "1")
    with torch.no_grad():
        maps = nets.plain()[:2](e._scene.picture.tensor)[0]
    np.testing.assert_allclose(pushed(e.feature_maps, "maps")[1]["maximum"], maps.amax((1, 2)), rtol=1e-5)


def test_another_picture_follows_the_prediction_unless_a_class_was_chosen() -> None:
    images = {name: torch.zeros(1, 3, 16, 16) for name in ("red", "green", "blue")}
    for index, image in enumerate(images.values()):
        image[:, index] = 1.0
    e = cw.explore(nets.colours(), images, labels=list(images))
    for index, name in enumerate([*images, "red"]):
        e.picture = name
        e.wait(20)
        assert (e.target, e.scores.target) == (index % 3, index % 3)
        assert e.overlay.caption == f"Grad-CAM · 1 → {name} ({index % 3})"
    e.target = 2
    e.picture = "green"
    e.wait(20)
    assert (e.target, e.scores.target, e.overlay.caption) == (2, 2, "Grad-CAM · 1 → blue (2)")


def test_a_model_that_fails_on_the_second_picture_leaves_the_first_on_show(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.Moody(0), {"bright": pictures["bright"], "dark": pictures["dark"]})
    before, caption = shown_map(e), e.overlay.caption
    e.picture = "dark"
    e.wait(20)
    assert e.status == "error"
    assert "too dark for me" in e.message
    assert e._view.bar.error == e.message
    assert (e.picture, e._view.bar.picture, e.overlay.caption) == ("bright", "bright", caption)
    np.testing.assert_array_equal(shown_map(e), before)
    e.layer = "inner.0"
    e.target = 2
    e.wait(20)
    assert (e.status, e.feature_maps.layer, e._view.bar.error) == ("ready", "inner.0", "")


def test_a_broken_image_in_the_menu_leaves_the_first_on_show(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.plain(), {"good": pictures["bright"], "bad": b"no image"})
    e.picture = "bad"
    e.wait(20)
    assert (e.status, e.picture) == ("error", "good")
    assert e._view.bar.error


def test_control_flow_may_take_the_selected_layer_away(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.Branching(), {"bright": pictures["bright"], "dark": pictures["dark"]})
    assert e.layer == "bright"
    e.picture = "dark"
    e.wait(20)
    assert e.status == "ready", e.message
    assert e.layer in e._scene.maps
    assert e.feature_maps.layer == e.layer == e.graph.selected
    assert any("another way" in note for note in e._view.bar.notes)
    e.graph.selected = "bright"
    assert "does not run for the photograph 'dark'" in pushed(e.feature_maps, "maps")[0]["message"]
    with pytest.raises(cw.NotSpatial, match="does not run"):
        e.layer = "bright"


def test_add_picture_shows_it_under_a_name_of_its_own(e: cw.Explorer) -> None:
    torch.manual_seed(5)
    image = torch.rand(1, 3, 24, 24)
    e.add_picture(image, "mine")
    e.wait(20)
    e.add_picture(image, "mine")
    e.wait(20)
    assert e.pictures == ["dark", "bright", "mine", "mine (2)"] == e._view.bar.pictures
    assert e.picture == "mine (2)"
    with torch.no_grad():
        np.testing.assert_allclose(e.scores._logits, nets.plain()(image)[0], rtol=1e-5)


def test_a_picture_that_cannot_be_read_is_not_added(e: cw.Explorer) -> None:
    with pytest.raises(cw.InputError):
        e.add_picture(b"nothing", "mine")
    assert (e.pictures, e.picture, e.status) == (["dark", "bright"], "dark", "ready")


def test_a_method_registered_later_can_be_chosen(e: cw.Explorer, registered: Register) -> None:
    def brightness(model: Any, images: torch.Tensor, target: Any = None) -> torch.Tensor:
        return images.mean(1)

    registered("brightness", brightness)
    e.method = "brightness"
    e.wait(20)
    assert e.status == "ready"
    np.testing.assert_allclose(shown_map(e), e._scene.picture.tensor[0].mean(0), rtol=1e-5)
    assert "brightness" in [name for name, *_ in e.overlay.methods]


def test_occlusion_of_another_class_needs_no_second_sweep(e: cw.Explorer) -> None:
    e.method = "occlusion"
    e.wait(60)
    calls = []
    hook = e._session.model.register_forward_hook(lambda *_: calls.append(1))
    other = (e.target + 1) % 5
    e.target = other
    e.wait(60)
    hook.remove()
    assert len(calls) <= 1  # the gradients of the other class, not a sweep
    expected = cw.explainers.occlusion(nets.plain(), e._scene.picture.tensor, other, patch=3, stride=1)
    np.testing.assert_allclose(shown_map(e), expected.values[0], atol=1e-6)
