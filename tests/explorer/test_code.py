"""What "Copy as Python" copies runs, and makes the map that is on show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.explorer import code
from tests.explorer import nets


def result(text: str, **names: Any) -> dict[str, Any]:
    """What a notebook holds after the snippet."""
    space = dict(names)
    exec(compile(text, "snippet", "exec"), space)  # noqa: S102
    return space


def same_map(ours: Any, theirs: Any) -> None:
    assert (ours.method, ours.target, ours.layer) == (theirs.method, theirs.target, theirs.layer)
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-4, atol=1e-7)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The variables of the reader's notebook."""
    variables: dict[str, Any] = {}
    monkeypatch.setattr(code, "_variables", lambda: variables)
    return variables


@pytest.mark.parametrize("method", ["grad_cam", "occlusion", "saliency", "layer_cam"])
def test_the_snippet_makes_the_map_on_show(method: str, e: cw.Explorer, notebook: dict[str, Any]) -> None:
    notebook |= {"net": e._session.original, "pictures": e._session.images}
    e.picture, e.target, e.method = "bright", "dog", method
    e.overlay.layer = "1" if method != "saliency" else e.overlay.layer
    e.wait(30)
    text = e.code()
    assert "load_picture(pictures['bright'], net)" in text
    assert "target=3" in text
    assert "..." not in text
    same_map(result(text, **notebook)["attribution"], e.attribution)


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_with_channels_switched_off_the_snippet_does_it_without_them(
    method: str, e: cw.Explorer, notebook: dict[str, Any]
) -> None:
    notebook |= {"net": e._session.original, "pictures": e._session.images}
    e.layer, e.method = "4", method
    e.wait(30)
    whole = e.attribution
    e.feature_maps.off = [0, 2]
    e.graph._receive(None, {"op": "scale", "name": "1", "factor": 0.5}, [])
    e.wait(30)
    text = e.code()
    assert "with cw.without(net, {'4': [0, 2], '1': 0.5}):" in text
    ours = result(text, **notebook)["attribution"]
    same_map(ours, e.attribution)
    assert whole is None or not np.allclose(ours.values, whole.values)


def test_what_has_no_name_is_left_to_fill_in(e: cw.Explorer, notebook: dict[str, Any]) -> None:
    lines = e.code().splitlines()
    assert "model = ...  # your network" in lines
    assert "image = ...  # your image" in lines
    assert "load_picture(image, model)" in e.code()


def test_a_path_a_preprocessing_and_what_was_said_of_the_outputs(notebook: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)).save(path)
    net = nets.plain()

    def preprocess(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1)[None] / 255).float()[..., :24, :24]

    notebook |= {"holder": type("Holder", (), {})(), "preprocess": preprocess}
    notebook["holder"].net = net
    e = cw.explore(net, path, preprocess=preprocess, outputs="sigmoid")
    text = e.code()
    assert f"load_picture({str(path)!r}, holder.net, preprocess)" in text
    assert "outputs='sigmoid'" in text
    same_map(result(text, **notebook)["attribution"], e.attribution)
    e.close()


def test_an_upload_is_named_as_one(e: cw.Explorer, notebook: dict[str, Any], tmp_path: Path) -> None:
    Image.new("RGB", (30, 30), "red").save(tmp_path / "a.png")
    e.add_picture_from_view("a.png", (tmp_path / "a.png").read_bytes())
    e.wait(20)
    assert "image = ...  # the path of the file that was uploaded" in e.code()


def test_of_a_network_that_does_not_classify_the_explorer_reads_the_outputs(notebook: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net, image = nets.Segmenting().eval(), torch.rand(1, 3, 24, 24)
    notebook |= {"net": net, "image": image}
    e = cw.explore(net, image)
    e.region = [2, 3, 8, 9]
    e.wait(20)
    e.target = 1
    e.wait(20)
    again = result(e.code(), **notebook)
    assert again["e"].region == [2, 3, 8, 9]
    np.testing.assert_allclose(again["attribution"].values, e.attribution.values, rtol=1e-4, atol=1e-7)
    again["e"].close()
    e.close()


def test_the_demo_runs_in_an_empty_notebook(notebook: dict[str, Any]) -> None:
    e = cw.explore()
    e.picture, e.target = "coffee", None
    e.wait(60)
    same_map(result(e.code())["attribution"], e.attribution)
    e.close()
    with pytest.raises(cw.CnnWidgetsError, match="closed"):
        e.attribution  # noqa: B018
