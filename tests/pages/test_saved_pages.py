"""A page holds what the Explorer shows, and nothing of a reader's names outside its data."""

from __future__ import annotations

import base64
import errno
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.core.progress import Step
from tests.explorer import nets
from tests.pages.unpacked import Unpacked

HOSTILE = "</script><img src=x onerror=alert(1)>"
LABELS = ["ant", "bee", HOSTILE, "dog", "eel"]


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 24, 24)


@pytest.fixture(scope="module")
def e(image: torch.Tensor) -> Iterator[cw.Explorer]:
    explorer = cw.explore(nets.plain(), {HOSTILE: image}, labels=LABELS)
    explorer.wait(20)
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def page(e: cw.Explorer) -> Any:
    return e.page(classes=3, methods=["grad_cam", "saliency", "hires_cam"], progress=None)


@pytest.fixture(scope="module")
def unpacked(page: Any) -> Unpacked:
    return Unpacked(page.text)


def test_every_map_is_what_its_explainer_gives(unpacked: Unpacked, image: torch.Tensor) -> None:
    model, story = nets.plain(), unpacked.story
    classes = story["photographs"][0]["classes"]
    assert classes == model(image)[0].topk(3).indices.tolist()
    assert story["layers"] == ["1", "2", "4"]
    for index in classes:
        for place, method in ((0, "grad_cam"), (2, "hires_cam")):
            for number, layer in enumerate(story["layers"]):
                own = cw.explainers.info(method).function(model, image, index, layer=layer)
                key = f"0/{index}/{place}/{number}"
                kept = unpacked.array("overlay", key, "map", "values")
                # A map with a cell a pixel is read cell by cell, to two digits; others are blended.
                rtol = 5.1e-2 if kept.shape == (24, 24) else 1e-5
                np.testing.assert_allclose(kept, own.values[0], rtol=rtol, atol=1e-7)
                state = unpacked.state("overlay", key)
                assert (state["layer"], state["method"]) == (layer, method)
                assert LABELS[index] in state["caption"]
                assert layer in state["caption"]
        gradient = cw.explainers.saliency(model, image, index).values[0].numpy()
        for name, values in (("magnitude", np.abs(gradient).max(0)), ("values", gradient.sum(0))):
            kept = unpacked.array("overlay", f"0/{index}/1", "map", name)
            np.testing.assert_allclose(kept, values, rtol=5.1e-2, atol=1e-7)


def test_feature_maps_and_bars_are_those_of_the_network(unpacked: Unpacked, image: torch.Tensor) -> None:
    model = nets.plain()
    with cw.capture(model, unpacked.story["layers"]) as outputs, torch.no_grad():
        shares = model(image).softmax(1)[0]
    first = unpacked.story["photographs"][0]["first"]
    for number, layer in enumerate(unpacked.story["layers"]):
        maps = outputs[layer][0][0].numpy()
        low, high, levels = (
            unpacked.array("maps", f"0/{first}/{number}", "maps", name) for name in ("minimum", "maximum", "maps")
        )
        read = low[:, None, None] + levels / 254 * (high - low)[:, None, None]
        # In steps of 5 levels of 254, and the lowest, a rectifier's zeros, as it is.
        np.testing.assert_allclose(read, maps, atol=float((high - low).max()) * 2.5 / 254)
        assert (read[maps == low[:, None, None]] == maps[maps == low[:, None, None]]).all()
        assert unpacked.content("maps", f"0/{first}/{number}", "maps")["step"] == 5
    bars = unpacked.state("scores", f"0/{first}/probability/false")
    assert bars["values"][0] == f"{100 * shares.max():.1f} %"
    raw = unpacked.state("scores", f"0/{first}/logit/false")
    assert raw["values"][0] == f"{model(image).max():.2f}".replace("-", "−")


def test_the_search_offers_the_classes_that_are_in_the_page(e: cw.Explorer) -> None:
    page = e.page(layers=["4"], classes=3, methods=["grad_cam"], other_classes=False, progress=None)
    unpacked = Unpacked(page.text)
    photograph = unpacked.story["photographs"][0]
    names = unpacked.content("scores", f"0/{photograph['first']}/probability/false", "classes")["names"]
    assert names == [LABELS[i] if i in photograph["classes"] else "" for i in range(5)]


def test_what_can_be_clicked_leads_to_its_layer_or_says_why_not(unpacked: Unpacked) -> None:
    aliases = unpacked.story["photographs"][0]["aliases"]
    assert (aliases["1"], aliases["2"], aliases["4"], aliases["0"]) == (0, 1, 2, "")
    assert aliases["7"] == "7 gives no maps with height and width."


def test_no_name_of_a_reader_is_in_the_markup(page: Any) -> None:
    assert page.text.count("<img") == 0
    assert HOSTILE not in page.text
    assert page.text.count("onerror") == 1  # in the title, escaped
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [
        ' type="text/plain" id="cnnw-recording"',
        *[' type="module"'] * 6,
    ]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page.text)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    for text in (style, *(script for attributes, script in scripts if "module" in attributes)):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert re.findall(r"https?://(?!www\.w3\.org/)", page.text) == []


def test_size_and_content_are_told_before_anything_is_written(page: Any) -> None:
    assert page.size == len(page.text.encode())
    assert page.summary == f"{page.size / 1e3:.0f} KB: 3 layers, 3 classes, 3 methods"


def test_the_explorer_and_the_model_stay_as_they_were(e: cw.Explorer, image: torch.Tensor) -> None:
    model = nets.plain()
    model.train()
    explorer = cw.explore(model, image)
    explorer.wait(20)
    explorer.layer, explorer.method = "2", "saliency"
    explorer.wait(20)
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    content = Unpacked(explorer.page(classes=2, progress=None).text)
    assert (explorer.layer, explorer.method, explorer.status) == ("2", "saliency", "ready")
    assert content.story["methods"] == ["grad_cam", "saliency"]
    assert (content.story["layers"][content.story["layer"]], content.story["method"]) == ("2", 1)
    assert model.training
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    explorer.close()


def test_what_is_switched_off_is_off_in_the_page_which_says_it(image: torch.Tensor) -> None:
    model = nets.plain()
    explorer = cw.explore(model, image)
    explorer.layer = "4"
    explorer.feature_maps.off = [0, 1]
    explorer.wait(20)
    content = Unpacked(explorer.page(layers=["2"], classes=1, methods=["grad_cam"], progress=None).text)
    explorer.close()
    with cw.without(model, {"4": [0, 1]}):
        shares = model(image).softmax(1)[0]
    first = content.story["photographs"][0]["start"]
    bars = content.state("scores", f"0/{first}/probability/false")
    assert bars["values"][bars["rows"].index(first)] == f"{100 * shares[first]:.1f} %"
    assert bars["switched"] == "Without 2 channels of 4."
    assert bars["switched"] == content.state("overlay", f"0/{first}/0/0")["switched"]


def test_several_photographs_each_with_its_own_classes(tmp_path: Path) -> None:
    torch.manual_seed(3)
    images = {"red": torch.tensor([2.0, 0, 1]), "green": torch.tensor([0, 2.0, 1])}
    images = {name: colour[None, :, None, None].expand(1, 3, 8, 8).clone() for name, colour in images.items()}
    page = cw.report(nets.colours(), images, tmp_path / "p.html", classes=2, methods=["saliency"], progress=None)
    assert page.counts == {"photograph": 2, "layer": 1, "class": 2, "method": 1}
    story = Unpacked((tmp_path / "p.html").read_text()).story
    assert [(p["name"], p["first"], p["classes"]) for p in story["photographs"]] == [
        ("red", 0, [0, 2]),
        ("green", 1, [1, 2]),
    ]


def test_a_function_that_is_explained_is_the_only_class(image: torch.Tensor) -> None:
    def difference(outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0] - outputs[:, 1]

    explorer = cw.explore(nets.plain(), image, target=difference)
    content = Unpacked(explorer.page(methods=["grad_cam"], progress=None).text)
    explorer.close()
    own = cw.explainers.grad_cam(nets.plain(), image, difference, layer="4").values[0]
    assert content.story["photographs"][0]["classes"] == [-1]
    number = content.story["layers"].index("4")
    np.testing.assert_allclose(content.array("overlay", f"0/-1/0/{number}", "map", "values"), own, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"network": "net.onnx"}, cw.InputError, "leave network out"),
        ({"methods": ["grad_camera"]}, cw.CnnWidgetsError, "grad_camera"),
        ({"methods": []}, cw.InputError, "methods is empty"),
        ({"methods": "saliency"}, cw.InputError, r"\['saliency'\]"),
        ({"layers": ["nowhere"]}, cw.LayerNotFound, "nowhere"),
        ({"layers": ["7"]}, cw.NotSpatial, "5 numbers"),
        ({"classes": 0}, cw.InputError, "at least 1"),
        ({"classes": [9]}, cw.InputError, "0 to 4"),
        ({"classes": ["wolf"]}, cw.TargetError, "wolf"),
    ],
)
def test_what_cannot_be_saved_is_said_and_the_old_file_stays(
    e: cw.Explorer, tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    with pytest.raises(error, match=words):
        e.save(file, progress=None, **options)
    assert file.read_text() == "old"
    assert e.status == "ready"


def test_a_method_that_fails_is_said(e: cw.Explorer, tmp_path: Path) -> None:
    @cw.explainers.register("broken", family="test")
    def broken(model: Any, images: Any, target: Any = None) -> torch.Tensor:
        raise ValueError("out of ink")

    try:
        with pytest.raises(cw.CnnWidgetsError, match="out of ink"):
            e.save(tmp_path / "report.html", methods=["broken"], progress=None)
    finally:
        cw.explainers.unregister("broken")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_old_file(e: cw.Explorer, tmp_path: Path) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "report.html"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        e.save(file, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert file.read_text() == "old"


def test_a_full_disk_leaves_the_old_file(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")

    class Full:
        def __init__(self, opened: Any) -> None:
            self._opened, self.name = opened, opened.name

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self._opened.close()

        def write(self, text: str) -> None:
            self._opened.write(text[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    from cnnwidgets.pages import page as module

    real = module.tempfile.NamedTemporaryFile
    monkeypatch.setattr(module.tempfile, "NamedTemporaryFile", lambda *a, **k: Full(real(*a, **k)))
    with pytest.raises(cw.CnnWidgetsError, match=r"No space left on device\. What was there is as it was"):
        page.save(file)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert file.read_text() == "old"
    file.chmod(0o640)
    page.save(file)
    assert file.read_text() == page.text
    assert file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(cw.CnnWidgetsError, match="No such file or directory"):
        page.save(tmp_path / "nowhere" / "report.html")


def test_blocks_and_what_goes_into_the_first_one_are_the_layers_by_default() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    explorer = cw.explore(resnet18(weights=None), torch.rand(1, 3, 64, 64))
    content = Unpacked(explorer.page(classes=1, methods=["saliency"], progress=None).text)
    explorer.close()
    blocks = [f"layer{i}{'.0' * (j == 0)}" for i in range(1, 5) for j in range(2)]
    assert content.story["layers"] == ["maxpool", *blocks]
