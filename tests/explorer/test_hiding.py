"""Scores of what is edited, the map that follows, and the sweep: complete, stopped by a button or by a drag."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

from cnnwidgets import explainers
from cnnwidgets.core.progress import Step
from cnnwidgets.explorer.panels.hide import HidePanel
from cnnwidgets.explorer.work.layers import explained_layers
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.outputs.targets import probabilities
from tests.explorer import nets
from tests.explorer.shown import pushed

LABELS = ["ant", "bee", "cat", "dog", "eel"]


class Host:
    """As much of an Explorer as a part sees."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        images = {"one": torch.rand(1, 3, 24, 24), "two": torch.rand(1, 3, 20, 24)}
        self.session = Session(nets.plain(), images, labels=LABELS)
        self.scene = self.session.open("one")
        self.overlay_map = None
        self.logits: list[torch.Tensor | None] = []
        self.changes = 0

    switched_scores, lags = None, False

    @property
    def model(self) -> torch.nn.Module:
        return self.session.model

    def show_switched(self, logits: torch.Tensor | None) -> None:
        pass

    def show_scores(self, logits: torch.Tensor | None) -> None:
        self.logits.append(logits)

    def busy_changed(self) -> None:
        self.changes += 1


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def part(host: Host) -> Iterator[HidePanel]:
    made = HidePanel(host)
    made.scene_opened(host.scene)
    yield made
    made.close()
    made.widget.layout.close()
    made.widget.close()


def patch(top: int, left: int, side: int = 6, fill: str = "grey", **more: Any) -> dict[str, Any]:
    return {"top": top, "left": left, "height": side, "width": side, "fill": fill, **more}


def drag(part: HidePanel, *patches: dict[str, Any], id: int = 1, wait: bool = True) -> None:  # noqa: A002
    part.widget._receive(None, {"op": "score", "id": id, "patches": list(patches), "selected": 0}, [])
    if wait:
        part.wait(30)
        assert part.widget.error == ""


def sweep(part: HidePanel, size: int = 6, stride: int = 3, fill: str = "grey", *, wait: bool = True) -> None:
    message = {"op": "sweep", "id": 1, "size": size, "stride": stride, "fill": fill, "color": "#ff0000"}
    part.widget._receive(None, message, [])
    if wait:
        part.wait(30)


def after(part: HidePanel) -> dict[int, float]:
    return {index: value for index, _, _, value in pushed(part.widget, "scores")[0]["rows"]}


def painted(host: Host, *places: tuple[slice, slice], level: float = 0.5) -> torch.Tensor:
    """The image with squares of one grey, by hand; this scene's preprocessing is guessed as ImageNet's."""
    image = host.scene.picture.tensor.clone()
    pixels = torch.from_numpy(host.scene.picture.pixels).double().permute(2, 0, 1)
    for rows, columns in places:
        for channel in range(3):
            slope, offset = np.polyfit(
                pixels[channel].flatten().numpy(), image[0, channel].flatten().double().numpy(), 1
            )
            image[0, channel, rows, columns] = slope * 255 * level + offset
    return image


def test_a_step_shows_the_scores_of_the_edited_image_here_and_in_the_explorer(host: Host, part: HidePanel) -> None:
    drag(part, patch(4, -2), patch(10, 12, 9), id=8)
    image = painted(host, (slice(4, 10), slice(0, 4)), (slice(10, 19), slice(12, 21)))
    with torch.no_grad():
        expected = host.session.model(image)[0]
    assert expected.sub(host.scene.logits).abs().max() > 1e-3
    assert host.logits[-1] is not None
    torch.testing.assert_close(host.logits[-1], expected, atol=1e-5, rtol=0)
    shares = probabilities(expected[None])[0]
    assert after(part) == pytest.approx({index: float(shares[index]) for index in range(5)}, abs=1e-5)
    content, _ = pushed(part.widget, "scores")
    assert (content["move"], content["target"], content["now"]) == (8, host.scene.predicted, int(expected.argmax()))


def test_the_map_follows_unless_it_is_not_wanted(host: Host, part: HidePanel) -> None:
    drag(part, patch(4, 4), id=3)
    content, arrays = pushed(part.widget, "heat")
    layer = explained_layers(host.scene)[-1]
    image = painted(host, (slice(4, 10), slice(4, 10)))
    expected = explainers.grad_cam(host.session.model, image, host.scene.predicted, layer=layer).values[0]
    np.testing.assert_allclose(arrays["values"], expected.numpy(), atol=1e-5)
    assert (content["move"], content["layer"], content["unit"]) == (3, layer, "weighted activation")
    before = content["id"]
    part.widget.with_heat = False
    drag(part, patch(5, 4))
    assert pushed(part.widget, "heat")[0]["id"] == before


def test_the_explorer_is_told_without_the_part_s_lock(
    host: Host, part: HidePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def told(_: torch.Tensor | None) -> None:
        def take() -> None:
            free.append(part._lock.acquire(timeout=1))
            part._lock.release()

        other = threading.Thread(target=take)
        other.start()
        other.join()

    monkeypatch.setattr(host, "show_scores", told)
    drag(part, patch(4, 4))
    assert free == [True]


def test_another_photograph_that_comes_while_the_explorer_is_told_has_its_own_scores(
    host: Host, part: HidePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[torch.Tensor | None] = []

    def tell(logits: torch.Tensor | None) -> None:
        if not told:
            part.scene_opened(host.session.open("two"))
        told.append(logits)

    monkeypatch.setattr(host, "show_scores", tell)
    drag(part, patch(4, 4))
    assert told[-1] is None


def test_without_patches_everything_is_as_before(host: Host, part: HidePanel) -> None:
    drag(part, patch(4, 4))
    drag(part)
    assert host.logits[-1] is None
    rows = pushed(part.widget, "scores")[0]["rows"]
    assert all(one == other for _, _, one, other in rows)


def test_patches_set_by_a_script_are_scored(host: Host, part: HidePanel) -> None:
    part.widget.patches = [[0, 0, 24, 24]]
    part.wait(30)
    image = painted(host, (slice(None), slice(None)))
    with torch.no_grad():
        torch.testing.assert_close(host.logits[-1], host.session.model(image)[0], atol=1e-5, rtol=0)


def test_the_newest_step_wins(host: Host, part: HidePanel) -> None:
    for step in range(12):
        drag(part, patch(step, 2), id=step + 1, wait=False)
    part.wait(30)
    assert pushed(part.widget, "scores")[0]["move"] == 12
    assert not part.busy


def test_another_photograph_and_another_class(host: Host, part: HidePanel) -> None:
    drag(part, patch(4, 4))
    sweep(part)
    other = (host.scene.predicted + 1) % 5
    host.scene = host.session.retarget(host.scene, other)
    part.target_changed(host.scene)
    part.wait(30)
    assert part.widget.target_name == LABELS[other]
    assert pushed(part.widget, "scores")[0]["target"] == other
    content, arrays = pushed(part.widget, "sweep")
    direct = occlusion(host, other)
    np.testing.assert_allclose(arrays["drop"], (direct.baseline[0] - direct.grid[0]).numpy(), atol=1e-6)
    assert (content["target"], content["classes"][0]) == (LABELS[other], other)
    host.scene = host.session.open("two")
    part.scene_opened(host.scene)
    assert (part.widget.patches, part.widget.sweep, part.busy) == ([], "none", False)
    assert set(part.widget._pushed) == {"picture", "scores"}
    drag(part, patch(0, 0, 5))
    assert part.widget.error == ""


def occlusion(host: Host, target: int, size: int = 6, stride: int = 3) -> explainers.occlusion.Occlusion:  # type: ignore[name-defined]
    grey = painted(host, (slice(0, 1), slice(0, 1)))[0, :, 0, 0].tolist()
    image = host.scene.picture.tensor
    return explainers.occlusion(host.session.model, image, target, patch=size, stride=stride, fill=grey)


def test_a_sweep_is_what_occlusion_says(host: Host, part: HidePanel) -> None:
    sweep(part)
    assert (part.widget.sweep, part.widget.sweep_text, part.widget.progress) == ("done", "", None)
    content, arrays = pushed(part.widget, "sweep")
    direct = occlusion(host, host.scene.predicted)
    np.testing.assert_allclose(arrays["drop"], (direct.baseline[0] - direct.grid[0]).numpy(), atol=1e-6)
    np.testing.assert_array_equal(arrays["predicted"], direct.predicted[0].numpy())
    assert arrays["known"].all()
    assert (arrays["tops"].tolist(), content["patch"]) == ([0, 3, 6, 9, 12, 15, 18], [6, 6])
    np.testing.assert_allclose(arrays["scores"], direct.scores_at[0][:, :, content["classes"]].numpy(), atol=1e-6)
    assert sorted(content["classes"]) == list(range(5))
    whole = probabilities(host.scene.logits[None])[0]
    assert content["baseline"] == pytest.approx(whole[content["classes"]].tolist())
    assert content["names"]["2"] == "cat"


class Held:
    """A sweep that waits after its first batch until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        real = explainers.occlusion

        def held(*arguments: Any, progress: Callable[[Step], None], **options: Any) -> Any:
            def wait(step: Step) -> None:
                progress(step)
                self.begun.set()
                self.go.wait(20)

            return real(*arguments, progress=wait, **options)

        monkeypatch.setattr(explainers, "occlusion", held)


def test_a_drag_stops_the_sweep_and_what_is_done_is_kept(part: HidePanel, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    sweep(part, 4, 2, wait=False)
    assert held.begun.wait(20)
    assert (part.widget.sweep, part.widget.busy) == ("running", True)
    drag(part, patch(4, 4), id=5, wait=False)
    held.go.set()
    part.wait(30)
    assert part.widget.sweep == "stopped"
    assert part.widget.sweep_text.startswith("Stopped at ")
    known = pushed(part.widget, "sweep")[1]["known"]
    assert 0 < known.sum() < known.size
    share = 100 * known.sum() / known.size
    assert part.widget.sweep_text == f"Stopped at {share:.0f} %. What was not measured is interpolated (fainter)."
    assert pushed(part.widget, "scores")[0]["move"] == 5
    assert not part.busy


def test_cancel_keeps_what_is_done_and_another_photograph_does_not(
    host: Host, part: HidePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    sweep(part, 4, 2, wait=False)
    assert held.begun.wait(20)
    part.widget._receive(None, {"op": "cancel", "id": 2}, [])
    held.go.set()
    part.wait(30)
    assert (part.widget.sweep, part.busy, part.widget.error) == ("stopped", False, "")
    held.begun.clear()
    held.go.clear()
    sweep(part, 4, 2, wait=False)
    assert held.begun.wait(20)
    part.scene_opened(host.session.open("two"))
    held.go.set()
    part.wait(30)
    assert (part.widget.sweep, "sweep" in part.widget._pushed, part.busy) == ("none", False, False)


def test_a_sweep_that_fails_says_so_and_can_be_tried_again(part: HidePanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patched:
        patched.setattr(explainers, "occlusion", broken)
        sweep(part)
    assert part.widget.error == "out of luck"
    assert (part.widget.sweep, part.widget.sweep_text) == ("stopped", "Stopped by an error before there was a result.")
    sweep(part, 40)
    assert "The patch is 40x40 pixels, the image 24x24" in part.widget.error
    sweep(part)
    assert (part.widget.sweep, part.widget.error) == ("done", "")


def test_a_function_as_target(host: Host, part: HidePanel) -> None:
    def margin(outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0] - outputs[:, 1]

    host.scene = host.session.retarget(host.scene, margin)
    part.target_changed(host.scene)
    drag(part, patch(4, 4))
    sweep(part)
    content, arrays = pushed(part.widget, "sweep")
    assert (part.widget.error, part.widget.target_name) == ("", "margin")
    assert (content["unit"], content["classes"], "scores" in arrays) == ("score", [], False)
    assert np.isfinite(arrays["drop"]).all()
    host.scene = host.session.retarget(host.scene, 2)
    part.target_changed(host.scene)
    part.wait(30)
    assert (part.widget.sweep, "sweep" in part.widget._pushed) == ("none", False), "only the function was measured"
    sweep(part)
    host.scene = host.session.retarget(host.scene, margin)
    part.target_changed(host.scene)
    assert (part.widget.sweep, "sweep" in part.widget._pushed) == ("none", False), "nor was the function now"


def test_a_model_that_fails_on_edits_says_so(host: Host, part: HidePanel) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("no more")

    handle = host.session.model[0].register_forward_pre_hook(refuse)
    drag(part, patch(4, 4), wait=False)
    part.wait(30)
    assert "no more" in part.widget.error
    assert not part.busy
    handle.remove()
    drag(part, patch(5, 4))


def test_a_class_chosen_during_a_sweep_is_told_of_at_its_end(
    host: Host, part: HidePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    sweep(part, 4, 2, wait=False)
    assert held.begun.wait(20)
    other = (host.scene.predicted + 1) % 5
    host.scene = host.session.retarget(host.scene, other)
    part.target_changed(host.scene)
    held.go.set()
    part.wait(30)
    assert part.widget.sweep == "done"
    monkeypatch.undo()
    direct = occlusion(host, other, 4, 2)
    np.testing.assert_allclose(
        pushed(part.widget, "sweep")[1]["drop"], (direct.baseline[0] - direct.grid[0]).numpy(), atol=1e-6
    )


def test_closing_leaves_nothing() -> None:
    def alive() -> set[str]:
        gc.collect()
        return set(ipywidgets.widget._instances)

    before = alive()
    host = Host()
    part = HidePanel(host)
    part.scene_opened(host.scene)
    drag(part, patch(4, 4))
    part.close()
    part.widget.layout.close()
    part.widget.close()
    assert alive() - before == set()
    assert not host.session.model.training
