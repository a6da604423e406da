"""The numbers of a method, set beside the picture: the map is what the function gives with them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets import explainers
from cnnwidgets.core.errors import InputError
from cnnwidgets.explorer.work.settings import settings_of
from tests.explorer import nets
from tests.explorer.shown import shown_map


@pytest.fixture
def e() -> Iterator[cw.Explorer]:
    explorer = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)))
    yield explorer
    explorer.close()


def change(e: cw.Explorer, **values: float) -> None:
    """What the page does."""
    settings = e.overlay.settings
    e.overlay.settings = [{**setting, "value": values.get(setting["name"], setting["value"])} for setting in settings]
    e.wait(60)


def test_the_numbers_are_the_methods_own_with_what_its_docstring_says() -> None:
    (steps,) = settings_of("integrated_gradients", torch.zeros(1, 3, 224, 224))
    assert (steps.name, steps.label, steps.value, steps.whole) == ("steps", "Steps", 50, True)
    assert steps.help
    assert [setting.name for setting in settings_of("smooth_grad", torch.zeros(1, 3, 224, 224))] == ["samples", "noise"]
    assert settings_of("grad_cam", torch.zeros(1, 3, 224, 224)) == []
    small = {setting.name: setting.value for setting in settings_of("occlusion", torch.zeros(1, 3, 48, 48))}
    assert small == {"patch": 6, "stride": 3}


def test_a_map_is_made_anew_with_the_number_that_was_set(e: cw.Explorer) -> None:
    e.method = "occlusion"
    e.wait(60)
    assert {setting["name"]: setting["value"] for setting in e.overlay.settings} == {"patch": 6, "stride": 3}
    change(e, patch=12, stride=12)
    assert e.status == "ready"
    image = e._scene.picture.tensor
    expected = explainers.occlusion(e._session.model, image, e.target, patch=12, stride=12)
    np.testing.assert_allclose(shown_map(e), expected.values[0], rtol=1e-4, atol=1e-7)
    assert "patch=12, stride=12" in e.code()
    e.method = "saliency"
    e.method = "occlusion"
    e.wait(60)
    assert {setting["name"]: setting["value"] for setting in e.overlay.settings} == {"patch": 12, "stride": 12}
    np.testing.assert_allclose(shown_map(e), expected.values[0], rtol=1e-4, atol=1e-7)


def test_a_reader_s_own_explainer_has_its_numbers_too(e: cw.Explorer) -> None:
    @explainers.register("brightness_over", question="Where is it brighter?")
    def brightness_over(model, images, target=None, *, level: float = 0.5, invert: bool = False):  # type: ignore[no-untyped-def]
        """Where is it brighter?

        Args:
            level: what counts as bright.
            invert: the other way round.
        """
        return (images.mean(1) - level).detach()

    try:
        e.method = "brightness_over"
        e.wait(60)
        (setting,) = e.overlay.settings
        assert (setting["name"], setting["help"], setting["whole"]) == ("level", "what counts as bright", False)
        change(e, level=0.25)
        np.testing.assert_allclose(shown_map(e), e._scene.picture.tensor[0].mean(0) - 0.25, atol=1e-6)
    finally:
        explainers.unregister("brightness_over")


def test_a_number_that_the_method_refuses_says_why_and_another_works(e: cw.Explorer) -> None:
    e.method = "occlusion"
    e.wait(60)
    change(e, patch=500)
    assert e.status == "error"
    assert "patch" in e._view.bar.error
    change(e, patch=8)
    assert e.status == "ready"
    with pytest.raises(InputError, match="expected a number"):
        change(e, patch=float("nan"))


def test_check_and_compare_are_of_the_map_with_these_numbers(e: cw.Explorer) -> None:
    e.method = "integrated_gradients"
    e.wait(60)
    e._panels.checking.check()
    e.wait(60)
    assert e.map_check.panel.badge
    change(e, steps=2)
    assert e.map_check.panel.badge == "", "the map of 50 steps was checked, not this one"
    expected = explainers.integrated_gradients(e._session.model, e._scene.picture.tensor, e.target, steps=2)
    np.testing.assert_allclose(e.attribution.values, expected.values, rtol=1e-4, atol=1e-7)
    e._panels.checking.check()
    e.wait(60)
    np.testing.assert_allclose(e._panels.checking._results.randomisation.original.values, expected.values, atol=1e-6)
    assert e._session.explain(e._scene, "integrated_gradients", "", lambda _: None) is e.attribution


def test_what_the_page_sends_beside_the_methods_numbers_is_not_passed_on(e: cw.Explorer) -> None:
    e.method = "occlusion"
    e.wait(60)
    e.overlay.settings = [*e.overlay.settings, {"name": "batch", "label": "Batch", "value": 1, "whole": True}]
    e.wait(60)
    assert e._session.settings["occlusion"] == {}
    assert e.status == "ready"


def test_eigen_cam_is_of_no_class_and_gives_no_advice_about_classes() -> None:
    torch.manual_seed(0)
    model = nets.plain()
    with torch.no_grad():
        model[-1].weight[1] = model[-1].weight[0]
        model[-1].bias.zero_()
    e = cw.explore(model, torch.rand(1, 3, 48, 48), target=0)
    e.method = "eigen_cam"
    e.wait(60)
    assert e.overlay.caption == f"Eigen-CAM · {e.overlay.layer}"
    assert not any("Compare the two maps" in note["text"] for note in e.overlay.notes)
    e.close()
