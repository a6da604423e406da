"""``cnnwidgets report``: one sentence and exit code 2 for what is wrong, nothing downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_1

from cnnwidgets.command import main
from tests.pages.unpacked import Unpacked


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    return str(path)


def test_a_page_of_a_checkpoint(photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    net = squeezenet1_1(weights=None).eval()
    torch.save({"state_dict": {f"module.{name}": value for name, value in net.state_dict().items()}}, tmp_path / "w.pt")
    out = tmp_path / "report.html"
    options = ["--model", "squeezenet1_1", "--checkpoint", str(tmp_path / "w.pt"), "--out", str(out), "--quiet"]
    assert main(["report", photo, *options, "--layers", "features.3", "--methods", "saliency", "--classes", "7,9"]) == 0
    story = Unpacked(out.read_text()).story
    assert story["layers"] == ["features.3"]
    assert {7, 9} < set(story["photographs"][0]["classes"])
    assert story["photographs"][0]["name"] == "photo.png"
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: ")
    assert said.endswith(": 1 layer, 3 classes, 1 method\n")
    assert str(tmp_path) not in str(Unpacked(out.read_text()).told)  # nobody's folders are in it


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "no_such_net"], "No model 'no_such_net'"),
        (["--model", "resnet50"], "nothing is downloaded"),
        (["--model", "fcn_resnet50"], "nothing is downloaded"),
        (["--model", "resnet18", "--checkpoint", "nowhere.pt"], "There is no file 'nowhere.pt'"),
        (["--checkpoint", "w.pt"], "name it with --model"),
        (["--methods", "grad_camera"], "grad_camera"),
    ],
)
def test_errors_are_one_sentence(
    options: list[str],
    words: str,
    photo: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    (tmp_path / "report.html").write_text("old")
    assert main(["report", photo, "--quiet", *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cnnwidgets: ")
    assert words in said
    assert "Traceback" not in said
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_checkpoint_that_would_run_code_is_refused(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    torch.save({"weight": Runs()}, tmp_path / "bad.pt")
    options = ["--model", "squeezenet1_1", "--checkpoint", str(tmp_path / "bad.pt"), "--out", str(tmp_path / "r.html")]
    assert main(["report", photo, *options]) == 2
    assert "cannot be read as weights alone" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_refused(photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "w.pt")
    assert main(["report", photo, "--model", "squeezenet1_1", "--checkpoint", str(tmp_path / "w.pt")]) == 2
    assert "are not those of squeezenet1_1" in capsys.readouterr().err
