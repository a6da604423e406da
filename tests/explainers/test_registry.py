from __future__ import annotations

import functools
import subprocess
import sys

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.explainers import info, names, register, unregister
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.registry import on_change


@pytest.fixture
def forget():
    before = names()
    yield
    for name in names():
        if name not in before:
            unregister(name)


def brightness(model, images, target=None, *, gain=1.0):
    """How bright each pixel is."""
    return images * gain


def without_target(model, images): ...


def without_default(model, images, target): ...


def another_first(net, images, target=None): ...


def nothing(model, images, target=None): ...


def needs_more(model, images, target=None, *, samples, layer, **others): ...


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def test_importing_the_explainers_imports_no_widget_and_no_matplotlib() -> None:
    code = (
        "import sys, cnnwidgets.explainers as e; e.names();"
        "print([m for m in ('ipywidgets', 'anywidget', 'matplotlib', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("forget")
def test_a_registered_function_is_an_explainer() -> None:
    explainer = register("brightness", family="baseline")(brightness)
    assert names()[-1] == "brightness"
    assert explainers.brightness is explainer is explainers.get("brightness")
    known = info("brightness")
    assert (known.family, known.question, known.needs_layer) == ("baseline", "How bright each pixel is.", False)
    images = torch.rand(2, 3, 5, 5)
    model = net()
    result = explainers.brightness(model, images, [1, 2], gain=2.0)
    assert torch.equal(result.values, images * 2)
    assert (result.method, result.target) == ("brightness", (1, 2))
    torch.testing.assert_close(result.scores, model(images).detach()[[0, 1], [1, 2]])


@pytest.mark.usefixtures("forget")
def test_what_it_is_called_and_measures_is_said_once_and_carried_by_its_results() -> None:
    register("brightness", label="Brightness!", unit="grey levels")(brightness)
    result = explainers.brightness(net(), torch.rand(1, 3, 5, 5), 1)
    assert (result.label, result.unit) == (info("brightness").label, info("brightness").unit)
    assert (result.label, result.unit) == ("Brightness!", "grey levels")
    register("own_brightness")(brightness)
    plain = explainers.own_brightness(net(), torch.rand(1, 3, 5, 5), 1)
    assert (plain.label, plain.unit) == (info("own_brightness").label, "") == ("Own brightness", "")
    by_hand = Attribution(torch.zeros(1, 2, 2), "grad_cam", (0,), "conv", torch.zeros(1))
    assert (by_hand.label, by_hand.unit) == ("Grad-CAM", "weighted activation")


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("name", ["saliency", "grad_cam", "register", "every_layer", "two words", "class", "_x", 3])
def test_names_that_are_refused(name) -> None:
    with pytest.raises(CnnWidgetsError, match=r"taken|identifier"):
        register(name)(brightness)


@pytest.mark.usefixtures("forget")
def test_a_name_is_given_once() -> None:
    register("brightness")(brightness)
    with pytest.raises(CnnWidgetsError, match=r"taken.*register\('brightness', replace=True\)"):
        register("brightness")(brightness)


@pytest.mark.usefixtures("forget")
def test_an_edited_cell_takes_the_place_of_what_it_registered_before() -> None:
    register("brightness")(brightness)
    register("another")(brightness)

    @register("brightness", replace=True, question="How dark is it?")
    def darkness(model, images, target=None):
        return -images

    assert names()[-2:] == ["brightness", "another"]
    assert info("brightness").question == "How dark is it?"
    images = torch.rand(1, 3, 5, 5)
    assert torch.equal(explainers.brightness(net(), images).values, -images)


@pytest.mark.parametrize("name", ["saliency", "occlusion"])
def test_the_packages_own_explainers_are_not_replaced(name: str) -> None:
    with pytest.raises(CnnWidgetsError, match="cnnwidgets itself"):
        register(name, replace=True)


@pytest.mark.usefixtures("forget")
def test_who_asks_is_told_of_changes_until_it_stops() -> None:
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(names()[-1:])

    stop, stop_again = on_change(look), on_change(look)
    register("brightness")(brightness)
    assert seen == [["brightness"], ["brightness"]]
    stop_again()
    stop_again()
    register("brightness", replace=True)(brightness)
    unregister("brightness")
    assert seen[2:] == [["brightness"], names()[-1:]]
    stop()
    register("brightness")(brightness)
    with pytest.raises(CnnWidgetsError, match="taken"):
        register("brightness")(brightness)
    assert len(seen) == 4


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    ("function", "needs_layer"),
    [(without_target, False), (without_default, False), (another_first, False), (brightness, True)],
)
def test_a_signature_that_does_not_fit(function, needs_layer: bool) -> None:
    with pytest.raises(CnnWidgetsError, match="model, images, target=None"):
        register("misfit", needs_layer=needs_layer)(function)
    assert "misfit" not in names()


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    ("function", "words"), [(needs_more, r"without 'samples', 'layer';"), (5, "is 5; expected a function")]
)
def test_what_cannot_be_called_as_explainers_are(function, words: str) -> None:
    with pytest.raises(CnnWidgetsError, match=words):
        register("misfit")(function)
    assert "misfit" not in names()


@pytest.mark.usefixtures("forget")
def test_a_partial_function_can_be_registered_and_replaced() -> None:
    register("dim")(functools.partial(brightness, gain=0.5))
    assert explainers.dim(net(), torch.ones(1, 3, 5, 5)).values.max() == 0.5
    register("dim", replace=True)(functools.partial(brightness, gain=0.25))
    assert explainers.dim(net(), torch.ones(1, 3, 5, 5)).values.max() == 0.25


@pytest.mark.usefixtures("forget")
def test_a_result_that_is_none() -> None:
    register("empty")(nothing)
    with pytest.raises(CnnWidgetsError, match="NoneType"):
        explainers.empty(net(), torch.zeros(1, 3, 5, 5))


def test_unknown_explainers_name_the_closest() -> None:
    with pytest.raises(CnnWidgetsError, match="'grad_cam'"):
        info("gradcam")
    with pytest.raises(AttributeError, match="gradcam"):
        _ = explainers.gradcam
    with pytest.raises(CnnWidgetsError) as caught:
        info("zzzz")
    assert sum(name in str(caught.value) for name in names()) == 3, "a few are enough"


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(3, 8, 8), r"images\[None\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "int64"),
        (torch.zeros(0, 3, 8, 8), r"\(0, 3, 8, 8\)"),
        (torch.zeros(1, 3, 0, 8), r"\(1, 3, 0, 8\)"),
        (torch.zeros(8, 8), r"\(8, 8\)"),
        (torch.zeros(1, 4, 20, 20), "4 channels"),
        (torch.zeros(1, 3, 8, 8, device="meta"), "meta device"),
        (torch.zeros(1, 3, 8, 8).to_sparse(), "to_dense"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.complex64), "complex64"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.bool), "torch.bool"),
        ("photo.jpg", "str"),
        (torch.zeros(3, 8, 8).numpy(), "ndarray"),
    ],
)
def test_images_that_cannot_be_explained(name: str, images, words: str) -> None:
    with pytest.raises(InputError, match=words):
        explainers.get(name)(net(), images)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("bad", [nn.Conv2d, "resnet50", None])
def test_what_is_no_model(name: str, bad) -> None:
    with pytest.raises(CnnWidgetsError, match=r"torch\.nn\.Module"):
        explainers.get(name)(bad, torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", names())
def test_a_model_without_values_is_refused(name: str) -> None:
    with pytest.raises(CnnWidgetsError, match="to_empty"):
        explainers.get(name)(net().to("meta"), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", names())
def test_a_scripted_model_is_refused(name: str) -> None:
    with pytest.raises(CnnWidgetsError, match="script"):
        explainers.get(name)(torch.jit.script(net()), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", names())
def test_not_a_number_in_the_input_is_told_and_stays_in_its_image(name: str) -> None:
    images = torch.rand(2, 3, 20, 20)
    images[1, 0, 4, 4] = torch.nan
    images[1, 1, 4, 5:7] = torch.inf
    result = explainers.get(name)(net(), images, 1)
    assert "the input contains 1 NaN value and 2 infinite values" in result.notes
    assert result.values[0].isfinite().all()
    assert any(note.startswith("the score is not a finite number for image 1") for note in result.notes)


@pytest.mark.parametrize("name", names())
def test_not_a_number_in_the_weights_is_told_and_not_painted(name: str) -> None:
    model = net()
    model[0].weight.data[0, 0, 0, 0] = torch.nan
    result = explainers.get(name)(model, torch.rand(1, 3, 20, 20), 1)
    assert "the weights contain 1 NaN value in '0.weight'" in result.notes
    assert any("the map contains" in note for note in result.notes)
    assert result.heatmap().isnan().any()


@pytest.mark.parametrize("name", names())
def test_a_model_in_training_mode_is_explained_as_it_would_predict(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), *list(net())[1:])
    images = torch.rand(2, 3, 20, 20)
    expected = explainers.get(name)(model.eval(), images)
    told = explainers.get(name)(model.train(), images)
    assert "model was in training mode; explained in evaluation mode" in told.notes
    assert torch.equal(told.values, expected.values)
    assert not any("training mode" in note for note in expected.notes)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("outside", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_callers_grad_mode_does_not_matter(name: str, outside) -> None:
    model, images = net(), torch.rand(1, 3, 20, 20)
    expected = explainers.get(name)(model, images, 2)
    with outside():
        made_inside = images.clone()
        result = explainers.get(name)(model, made_inside, 2)
        assert torch.is_inference_mode_enabled() == (outside is torch.inference_mode)
        assert torch.is_grad_enabled() == (outside is torch.enable_grad)
    assert torch.equal(result.values, expected.values)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(name: str, dtype: torch.dtype) -> None:
    model, images = net(), torch.rand(1, 3, 20, 20)
    model[1] = nn.Tanh()  # a ReLU near zero may open or close by rounding
    expected = explainers.get(name)(model, images, 2)
    result = explainers.get(name)(model.to(dtype), images, 2)
    tolerance = 1e-6 if dtype == torch.float64 else 0.03
    scale = float(expected.values.abs().max())
    if info(name).family == "perturbation":
        scale += float(expected.scores.abs().max())  # its values are differences of scores
    torch.testing.assert_close(result.values, expected.values, atol=tolerance * scale, rtol=0)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, torch.compile, lambda model: nn.DataParallel(nn.DataParallel(model))]
)
def test_wrapped_models(name: str, wrap) -> None:
    model, images = net(), torch.rand(1, 3, 20, 20)
    assert torch.equal(
        explainers.get(name)(wrap(model), images, 2).values, explainers.get(name)(model, images, 2).values
    )


class Returns(nn.Module):
    def __init__(self, inner: nn.Module, shape) -> None:
        super().__init__()
        self.inner, self.shape = inner, shape

    def forward(self, x):
        return self.shape(self.inner(x))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    "shape",
    [
        lambda scores: (scores, None),
        lambda scores: {"aux": scores * 0, "logits": scores},
        lambda scores: type("Out", (), {"logits": scores})(),
    ],
)
def test_models_that_return_more_than_a_tensor(name: str, shape) -> None:
    model, images = net(), torch.rand(1, 3, 20, 20)
    expected = explainers.get(name)(model, images, 2)
    result = explainers.get(name)(Returns(model, shape), images, 2)
    assert isinstance(result, Attribution)
    assert torch.equal(result.values, expected.values)


@pytest.mark.parametrize("name", names())
def test_the_caller_keeps_its_image(name: str) -> None:
    class Darker(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.in_place = in_place

        def forward(self, x):
            return x.sub_(0.5) if self.in_place else x - 0.5

    images = torch.rand(1, 3, 20, 20)
    before = images.clone()
    changing, plain = (
        explainers.get(name)(nn.Sequential(Darker(in_place), net()), images, 2) for in_place in (True, False)
    )
    assert torch.equal(images, before)
    assert torch.equal(changing.values, plain.values)


def test_the_image_that_a_foreign_explainer_writes_to_is_not_the_users() -> None:
    net, x = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(1, 1, 2, 2)

    def writes(model: nn.Module, images: torch.Tensor, target: object = None) -> torch.Tensor:
        return images.mul_(0) + 1

    register("writes")(writes)
    try:
        found = explainers.get("writes")(net, x)
    finally:
        unregister("writes")
    assert x.tolist() == [[[[1, 1], [1, 1]]]]
    assert any("writes to its input" in note for note in found.notes)
    with torch.no_grad():
        assert found.scores.item() == pytest.approx(float(net(x).max()))


def test_the_packages_own_cannot_be_taken_away() -> None:
    with pytest.raises(CnnWidgetsError, match="one of cnnwidgets' own"):
        unregister("saliency")
    for replace in (False, True):
        with pytest.raises(CnnWidgetsError, match="taken by cnnwidgets itself"):
            register("grad_cam", replace=replace)
    assert "saliency" in explainers.names()
