"""The page with the agreement is complete, keeps what is promised, and a part of it is measured again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnwidgets import explainers

from .agreement import OFF, allowed, document, numbers, read
from .networks import CASES
from .ours import COMPARED, Bench, Cell, cell, distance
from .theirs import LIBRARIES, Row, grad_cam_row, guided_row

PAGE = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
AGAIN = {"small net": list(COMPARED), "ResNet-18": ["saliency", "guided_backprop", "grad_cam", "cam", "hires_cam"]}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def page():
    return read(PAGE.read_text())


def test_every_explainer_is_compared_on_every_network(page) -> None:
    cells, peers = page
    assert set(COMPARED) == set(explainers.names())
    assert set(cells) == {(method, network) for method in COMPARED for network in CASES}
    assert {network for network, _ in peers} == set(CASES)


def test_what_was_measured_keeps_what_is_promised(page) -> None:
    cells, peers = page
    compared = 0
    for (method, network), text in cells.items():
        single, double = numbers(text)
        if double is None:
            assert method == "cam", (method, network, text)  # it needs a linear head
            assert text.startswith("n/a (")
            continue
        compared += 1
        assert single is None or single <= allowed(method)[0], (method, network)
        assert double <= allowed(method)[1], (method, network)
    assert compared >= len(cells) - 3
    assert all(float(row["cnnwidgets"]) < 1e-4 for row in peers.values())


@pytest.mark.parametrize("network", AGAIN)
def test_a_part_is_measured_again(page, network: str) -> None:
    cells, peers = page
    torch.set_num_threads(2)
    single, double = Bench(network, torch.float32), Bench(network, torch.float64)
    for method in AGAIN[network]:
        found = cell(method, single, double)
        assert found.single is not None
        assert found.double is not None
        assert None not in numbers(cells[method, network])
        assert found.single <= allowed(method)[0], method
        assert found.double <= allowed(method)[1], method
    for row in (grad_cam_row(single), guided_row(single)):
        known = peers[row.network, row.what]
        assert row.ours < 1e-4
        for library in LIBRARIES:
            value = row.peers[library]
            right = isinstance(value, float) and value < OFF
            assert (known[library] == "–") == (value is None)
            assert value is None or right != known[library].startswith("**"), (row.what, library)


def test_a_wrong_map_is_seen() -> None:
    right = torch.tensor([[1.0, -2.0]])
    assert distance(right, right) == 0
    assert distance(right * 1.5, right) == pytest.approx(0.5)
    with pytest.raises(AssertionError):
        distance(right, right * 0)
    with pytest.raises(AssertionError):
        distance(right, right[0])


def test_what_is_written_can_be_read() -> None:
    cells = {(method, network): Cell(3e-7, 4.4e-8) for method in COMPARED for network in ("a", "b")}
    cells["cam", "b"] = Cell(refused="no linear head")
    cells["xgrad_cam", "b"] = Cell(None, 2e-8, "rounding")
    row = Row(
        "a", "a map", 0.0, {"Captum": 0.5, "pytorch-grad-cam": "raises ValueError", "torchcam": 2e-7, "zennit": None}
    )
    text = document(cells, ["a", "b"], [row])
    read_cells, read_peers = read(text)
    assert read_cells["saliency", "a"] == "3e-7 / 4e-8"
    assert numbers(read_cells["ablation_cam", "b"]) == (3e-7, 4e-8)
    assert read_cells["cam", "b"] == "n/a (1)"
    assert numbers("n/a (1)") == (None, None)
    assert "1. no linear head.\n2. rounding." in text
    assert numbers(read_cells["xgrad_cam", "b"]) == (None, 2e-8)
    assert read_peers["a", "a map"] == {
        "cnnwidgets": "0",
        "Captum": "**0.50**",
        "pytorch-grad-cam": "**raises ValueError**",
        "torchcam": "2e-7",
        "zennit": "–",
    }
