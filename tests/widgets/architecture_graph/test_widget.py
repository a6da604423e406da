"""ArchitectureGraph: what it shows, what it answers, what it refuses."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound
from cnnwidgets.tracing.architecture import trace
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph
from tests.widgets.parity import python_keys, typescript_keys

from .made import architecture, chain, layer, residual


def shown(graph: ArchitectureGraph) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = graph._pushed["layout"][0]["nodes"]
    return nodes


def titles(graph: ArchitectureGraph) -> list[str]:
    return [item["title"] for item in shown(graph) if not item.get("open")]


def test_the_state_in_typescript_is_the_traits() -> None:
    assert typescript_keys("GraphState") == python_keys(ArchitectureGraph)


def test_words_on_nodes_and_groups() -> None:
    graph = ArchitectureGraph(residual(), expanded=["body"])
    found = {item["title"]: (item["detail"], item["shape"], item.get("layer")) for item in shown(graph)}
    assert found["0"] == ("Block · residual", [8, 16, 16], "body.0")
    assert found["body"] == ("Block ×2", [8, 16, 16], "body")
    assert found["input"] == ("Input", [3, 16, 16], None)
    graph.expand_all()
    found = {item.get("layer"): (item["title"], item["detail"], item["shape"]) for item in shown(graph)}
    assert found["body.0.relu"] == ("relu", "Conv 3×3 · BN · ReLU", [8, 16, 16])


def test_the_card_of_a_group_counts_all_in_it() -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    card = next(item["card"] for item in shown(graph) if item["title"] == "body")
    assert (card["params"], card["macs"], card["field"], card["calls"]) == (10 * 10, 10 * 100, [3, 3], 1)


def test_a_selected_layer_opens_the_groups_around_it() -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    assert titles(graph) == ["input", "stem", "body", "fc"]
    graph.selected = "body.1.bn1"
    assert graph.expanded == ["body", "body.1"]
    assert "body.1.relu" in [item.get("layer") for item in shown(graph)]
    graph.selected = "body"
    assert graph.expanded == ["body", "body.1"]
    assert ArchitectureGraph(residual(), expanded=[], selected="body.0.conv2").expanded == ["body", "body.0"]


def test_what_is_not_in_the_graph_is_refused_and_nothing_changes() -> None:
    graph = ArchitectureGraph(residual(), selected="stem")
    with pytest.raises(LayerNotFound, match=r"No layer 'body\.5'\. Closest: 'body\.[01]'"):
        graph.selected = "body.5"
    with pytest.raises(LayerNotFound, match="No layer 'stem'"):
        graph.expanded = ["stem"]
    assert graph.selected == "stem"


@pytest.mark.parametrize("wrong", [nn.Conv2d(1, 1, 1), None, "resnet50", [1]])
def test_anything_but_a_trace_is_refused(wrong: Any) -> None:
    with pytest.raises(CnnWidgetsError, match=rf"got {type(wrong).__name__}\. Write: ArchitectureGraph"):
        ArchitectureGraph(wrong)


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="Did you mean 'selected'"):
        ArchitectureGraph(residual(), select="stem")


def test_commands_from_the_browser() -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    graph._receive(None, {"op": "expand", "id": 1, "name": "body"}, [])
    assert graph.expanded == ["body"]
    assert graph._pushed["layout"][0]["anchor"] == "body"
    graph._receive(None, {"op": "expand_all", "id": 2}, [])
    assert graph.expanded == ["body", "body.0", "body.1"]
    graph._receive(None, {"op": "collapse", "id": 3, "name": "body.0"}, [])
    assert graph.expanded == ["body", "body.1"]
    graph._receive(None, {"op": "collapse_all", "id": 4}, [])
    assert (graph.expanded, graph.error) == ([], "")
    graph._receive(None, {"op": "expand", "id": 5, "name": "nonsense"}, [])
    assert graph.error.startswith("No layer 'nonsense'")
    assert graph._pushed["layout"][0]["anchor"] == ""


def test_names_to_search_are_in_the_order_they_ran() -> None:
    graph = ArchitectureGraph(residual())
    names = graph._pushed["names"][0]["names"]
    assert names[:4] == ["stem", "body", "body.0", "body.0.conv1"]
    assert names[-1] == "fc"
    facts = dict(zip(names, graph._pushed["names"][0]["facts"], strict=True))
    assert facts["stem"].split() == ["conv", "3x3", "conv2d", "conv", "8", "16", "16", "8x16x16", "16x16"]
    assert "block" in facts["body.0"].split()


def test_names_of_any_kind_are_sent_as_they_are() -> None:
    odd = ["<script>alert(1)</script>", "\"quoted'&amp;", "طبقة", "x" * 500]
    graph = ArchitectureGraph(architecture([layer(name) for name in odd], chain("input", *odd)))
    assert titles(graph) == ["input", *odd]
    graph.selected = odd[3]
    assert json.loads(json.dumps(graph._pushed["layout"][0]))["nodes"][4]["layer"] == odd[3]


def test_close_frees_and_repr_is_stable() -> None:
    graph = ArchitectureGraph(residual())
    assert repr(graph) == "ArchitectureGraph(12 layers)"
    graph.close()
    assert graph._pushed == {}


class Functional(nn.Module):
    """Control flow, a reused layer, functional activations, a cat."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem(x))
        for _ in range(2):
            x = x + functional.relu(self.twice(x))
        pooled = [functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)]
        scores: torch.Tensor = self.head(torch.cat(pooled, 1).flatten(1))
        return scores


def test_a_real_trace_of_a_functional_network() -> None:
    graph = ArchitectureGraph(trace(Functional(), torch.zeros(1, 3, 8, 8)))
    found = [(item["title"], item["detail"]) for item in shown(graph)]
    assert found[:5] == [
        ("input", "Input"),
        ("stem", "Conv 3×3, then ReLU"),
        ("twice", "Conv 3×3"),
        ("+", ""),
        ("twice", "Conv 3×3, then ReLU"),
    ]
    assert [item["card"]["calls"] for item in shown(graph) if item["title"] == "twice"] == [2, 2]


def test_a_real_resnet() -> None:
    torchvision = importlib.import_module("torchvision")
    graph = ArchitectureGraph(trace(torchvision.models.resnet18(), torch.zeros(1, 3, 64, 64)))
    assert titles(graph) == ["input", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]
    graph.selected = "layer2.0.downsample.0"
    assert graph.expanded == ["layer2", "layer2.0"]
    item = next(item for item in shown(graph) if "layer2.0.downsample.0" in item.get("members", ()))
    assert (item["title"], item["layer"]) == ("downsample.1", "layer2.0.downsample.1")


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1)),
        Functional(),
    ],
)
def test_a_node_is_called_as_its_maps_are(network: nn.Module) -> None:
    graph = ArchitectureGraph(trace(network.eval(), torch.zeros(1, 3, 12, 12)))
    graph.expand_all()
    nodes = [item for item in shown(graph) if item["kind"] not in ("input", "join")]
    assert all(item["title"] == (item.get("layer") or item["group"]) for item in nodes)
    assert len(nodes) >= 3


def test_the_widget_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert titles(ArchitectureGraph(residual(), expanded=[])) == ["input", "stem", "body", "fc"]


class Plain(nn.Module):
    """Convolutions as modules, what follows them as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.interpolate(self.conv2(x), scale_factor=3)
        scores: torch.Tensor = self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return scores


def test_sizes_are_those_of_the_output_that_the_node_names() -> None:
    net, x = Plain(), torch.zeros(1, 3, 24, 24)
    graph = ArchitectureGraph(trace(net, x))
    sides: dict[nn.Module, tuple[list[int], list[int]]] = {}
    for module in net.children():
        module.register_forward_hook(
            lambda module, inputs, output: sides.update({module: (list(inputs[0].shape[1:]), list(output.shape[1:]))})
        )
    net(x)
    arrived = {name: sides[module] for name, module in net.named_children()}
    nodes = [item for item in shown(graph) if item["title"] != "input"]
    assert [item["title"] for item in nodes] == ["conv1", "max_pool2d", "conv2", "interpolate", "fc"]
    sizes = {item["title"]: item["shape"] for item in nodes}
    assert {name: sizes[name] for name in arrived} == {name: output for name, (_, output) in arrived.items()}
    assert sizes["max_pool2d"] == arrived["conv2"][0] == [4, 12, 12]
    assert sizes["interpolate"] == [6, 36, 36]
    assert [item["detail"] for item in nodes][:2] == ["Conv 3×3, then ReLU", "Max pool 2×2 /2"]
