"""The check of the map on show: made on a click, kept for its map, stopped, and taken away with it."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

from cnnwidgets import explainers
from cnnwidgets.checks import insertion_deletion, randomised, read
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.panels.check import CheckPanel
from cnnwidgets.explorer.work.session import Session
from tests.explorer import nets

Register = Callable[[str, Callable[..., Any]], None]


class Host:
    """As much of an Explorer as a part sees."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.session = Session(nets.plain(), {"one": torch.rand(1, 3, 24, 24), "two": torch.rand(1, 3, 24, 24)})
        self.scene = self.session.open("one")
        self.overlay_map: Attribution | None = None
        self.told: list[bool] = []
        self.part: CheckPanel | None = None

    switched_scores, lags = None, False

    @property
    def model(self) -> torch.nn.Module:
        return self.session.model

    def show_switched(self, logits: torch.Tensor | None) -> None:
        pass

    def show_scores(self, logits: torch.Tensor | None) -> None:
        raise AssertionError("the check shows no scores")

    def busy_changed(self) -> None:
        if self.part is not None:
            self.told.append(self.part.busy)

    def show(self, method: str | None, layer: str = "4") -> Attribution | None:
        self.overlay_map = None if method is None else self.session.explain(self.scene, method, layer, lambda _: None)
        assert self.part is not None
        self.part.map_changed(self.overlay_map)
        return self.overlay_map


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    made.part = CheckPanel(made)
    yield made
    made.part.close()
    made.part.widget.layout.close()
    made.part.widget.close()


def click(host: Host, op: str = "check") -> None:
    assert host.part is not None
    host.part.widget.panel._receive(None, {"op": op, "id": 1}, [])


def finished(host: Host) -> Any:
    """The panel, once nothing is being computed."""
    assert host.part is not None
    host.part.wait(30)
    assert host.part.busy is host.part.widget.busy is False
    return host.part.widget.panel


def strip(panel: Any) -> dict[str, Any]:
    return dict(panel._pushed["maps"][0])


def test_a_click_runs_both_checks_of_the_map_on_show(host: Host) -> None:
    shown = host.show("grad_cam")
    assert shown is not None
    assert finished(host).state == "idle"
    click(host)
    panel = finished(host)
    x = host.scene.picture.tensor
    first = randomised(host.session.model, x, shown)
    second = insertion_deletion(host.session.model, x, shown)
    expected = read(first, second)
    assert (panel.state, panel.sentence, panel.badge) == ("done", expected.sentence, expected.badge)
    assert panel.level == expected.level
    assert strip(panel)["layers"] == [stage.layer for stage in first.stages] == ["7", "3", "0"]
    assert strip(panel)["similarity"] == pytest.approx([stage.similarity.item() for stage in first.stages])
    assert [row[1] for row in strip(panel)["details"]] == ["nothing", "7", "3", "0"]
    charts = host.part.widget.charts  # type: ignore[union-attr]
    np.testing.assert_allclose(charts["deletion"].points[1], second.deletion[0], atol=1e-6)
    np.testing.assert_allclose(charts["insertion"].grey, second.random_insertion[0], atol=1e-6)
    assert charts["similarity"].points[1][1:] == pytest.approx(strip(panel)["similarity"])
    assert host.told[0] is True
    assert host.told[-1] is False


def test_the_result_is_kept_for_its_map_and_gone_with_the_photograph(host: Host, registered: Register) -> None:
    calls: list[int] = []

    def counted(model: Any, images: torch.Tensor, target: Any = None) -> Any:
        calls.append(1)
        return explainers.saliency(model, images, target).values

    registered("counted", counted)
    host.show("counted")
    click(host)
    sentence = finished(host).sentence
    made = len(calls)
    assert made == 1 + 4
    host.show("grad_cam")
    panel = finished(host)
    assert (panel.state, panel.sentence, host.part.widget.charts) == ("idle", "", {})  # type: ignore[union-attr]
    host.show("counted")
    assert (panel.state, panel.sentence, len(calls)) == ("done", sentence, made)
    assert host.part.widget.charts.keys() == {"similarity", "deletion", "insertion"}  # type: ignore[union-attr]
    host.scene = host.session.open("two")
    host.part.scene_opened(host.scene)  # type: ignore[union-attr]
    host.show("counted")
    assert panel.state == "idle"


def test_another_target_or_layer_is_another_map(host: Host) -> None:
    host.show("grad_cam", "4")
    click(host)
    assert finished(host).state == "done"
    host.show("grad_cam", "1")
    assert finished(host).state == "idle"
    host.scene = host.session.retarget(host.scene, (host.scene.predicted + 1) % 5)
    host.show("grad_cam", "4")
    assert finished(host).state == "idle"


class Slow:
    """An explainer that waits to be let go after its first map."""

    def __init__(self) -> None:
        self.calls, self.waiting, self.go = 0, threading.Event(), threading.Event()

    def __call__(self, model: Any, images: torch.Tensor, target: Any = None) -> Any:
        self.calls += 1
        if self.calls == 4:  # the one on show, the original, the first stage, the second
            self.waiting.set()
            self.go.wait(20)
        return explainers.saliency(model, images, target).values


@pytest.fixture
def slow(registered: Register) -> Slow:
    method = Slow()

    def slow(model: Any, images: Any, target: Any = None) -> Any:
        return method(model, images, target)

    registered("slow", slow)
    return method


def test_cancel_keeps_what_is_done(host: Host, slow: Slow) -> None:
    model = host.session.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    host.show("slow")
    click(host)
    assert slow.waiting.wait(20)
    assert host.part is not None
    assert host.part.widget.panel.state == "running"
    assert host.part.busy
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "while it works"
    click(host, "cancel")
    slow.go.set()
    panel = finished(host)
    assert panel.state == "stopped"
    assert panel.sentence == "No verdict: the check was stopped after 2 of 3 stages and tells little yet."
    assert strip(panel)["layers"] == ["7", "3"]
    assert panel.badge.startswith("no verdict: similarity")
    assert panel.progress is None
    click(host)
    assert finished(host).state == "done"


def test_another_map_stops_the_check_of_the_one_before(host: Host, slow: Slow) -> None:
    host.show("slow")
    click(host)
    assert slow.waiting.wait(20)
    host.show("grad_cam")
    assert host.part is not None
    panel = host.part.widget.panel
    assert (panel.state, panel.sentence, host.part.busy) == ("idle", "", False)
    slow.go.set()
    host.part.wait(20)
    time.sleep(0.05)
    assert (panel.state, panel.sentence, panel.error, host.part.widget.charts) == ("idle", "", "", {})
    assert "maps" not in panel._pushed
    click(host)
    assert finished(host).state == "done"


def test_an_error_is_shown_and_the_check_can_be_tried_again(host: Host) -> None:
    host.show("saliency")
    host.session.model.guard = threading.Lock()
    click(host)
    panel = finished(host)
    assert "'guard' cannot be copied" in panel.error
    assert "Traceback" in panel.error_details
    assert panel.state == "idle"
    del host.session.model.guard
    click(host)
    panel = finished(host)
    assert (panel.state, panel.error) == ("done", "")


def test_occlusion_is_checked_coarsely_and_says_so(host: Host) -> None:
    host.show("occlusion")
    panel = finished(host)
    assert panel.hint == "Occlusion takes long: the check puts patches side by side, and makes 5 maps."
    click(host)
    panel = finished(host)
    assert panel.state == "done"
    assert any("side by side" in note for note in panel.notes)
    assert not any("differs from the one given" in note for note in panel.notes)
    expected = randomised(
        host.session.model, host.scene.picture.tensor, "occlusion", host.scene.predicted, stages=4, patch=3, stride=3
    )
    assert strip(panel)["similarity"] == pytest.approx([stage.similarity.item() for stage in expected.stages])


def test_of_a_map_that_no_class_changes_the_check_says_whose_the_curves_are(host: Host) -> None:
    host.show("eigen_cam")
    click(host)
    said = f"Eigen-CAM does not depend on the class; the curves are those of class {host.scene.predicted}"
    assert sum(note.startswith(said) for note in finished(host).notes) == 1
    host.show("grad_cam")
    click(host)
    assert not any("depend on the class" in note for note in finished(host).notes)


def test_progress_tells_the_part_and_the_time_left(host: Host) -> None:
    told: list[tuple[float, str]] = []
    host.show("grad_cam")
    assert host.part is not None
    panel = host.part.widget.panel
    panel.observe(lambda change: told.append((panel.progress, change["new"])), "progress_text")
    click(host)
    finished(host)
    texts = [text for _, text in told]
    assert texts[0] == "Copying the network …"
    assert any(text.startswith("Randomising the weights (1 of 2) ") and text.endswith(" s left") for text in texts)
    assert any(text.startswith("Hiding and revealing places (2 of 2) ") for text in texts)
    shares = [share for share, _ in told if share is not None]
    assert shares == sorted(shares)


def test_without_a_map_there_is_nothing_to_check(host: Host, registered: Register) -> None:
    host.show(None)
    assert finished(host).state == "empty"
    click(host)
    assert finished(host).state == "empty"
    other = Attribution(torch.zeros(1, 2, 2), "elsewhere", (0,), None, torch.zeros(1))
    assert host.part is not None
    host.part.map_changed(other)
    assert "'elsewhere' is not the name of a registered explainer" in finished(host).hint


def test_a_callable_target_is_checked_too(host: Host) -> None:
    def margin(out: torch.Tensor) -> torch.Tensor:
        return out[:, 0] - out[:, 1]

    host.scene = host.session.retarget(host.scene, margin)
    host.show("saliency")
    click(host)
    assert finished(host).state == "done"
    title = host.part.widget.charts["deletion"].title  # type: ignore[union-attr]
    assert title.startswith("Deletion: score, area")


def test_closing_stops_the_work_and_leaves_nothing(slow: Slow) -> None:
    def alive() -> set[str]:
        gc.collect()
        return set(ipywidgets.widget._instances)

    before = alive()
    host = Host()
    host.part = CheckPanel(host)
    host.show("slow")
    click(host)
    assert slow.waiting.wait(20)
    threading.Timer(0.1, slow.go.set).start()
    host.part.close()
    host.part.widget.layout.close()
    host.part.widget.close()
    assert alive() - before == set()
