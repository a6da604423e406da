"""What becomes one node, and what becomes a group."""

from __future__ import annotations

from types import SimpleNamespace

from cnnwidgets.widgets.architecture_graph.structure.fold import fold
from cnnwidgets.widgets.architecture_graph.structure.tree import Tree, default_expanded, read_network, visible_graph

from .made import architecture, chain, layer, residual


def folded(made: SimpleNamespace) -> Tree:
    return fold(read_network(made))


def members(tree: Tree) -> list[list[str]]:
    return [[unit.name for unit in node.units] for node in tree.nodes]


def test_conv_norm_activation_is_one_node_with_the_output_of_the_last() -> None:
    layers = [layer("a"), layer("b", "norm"), layer("c", "activation"), layer("d")]
    tree = folded(architecture(layers, chain("a", "b", "c", "d")))
    assert members(tree) == [["a", "b", "c"], ["d"]]
    assert [node.layer for node in tree.nodes] == ["c", "d"]
    assert tree.links == [(0, 3)]


def test_a_value_that_is_read_twice_ends_the_chain() -> None:
    layers = [layer("a"), layer("b", "norm"), layer("c", "activation"), layer("d")]
    tree = folded(architecture(layers, [*chain("a", "b", "c", "d"), ("b", "d")]))
    assert members(tree) == [["a", "b"], ["c"], ["d"]]


def test_a_function_applied_in_between_ends_the_chain() -> None:
    layers = [layer("a", functions=("max_pool2d",)), layer("b", "norm")]
    assert members(folded(architecture(layers, chain("a", "b")))) == [["a"], ["b"]]


def test_dropout_and_identity_ride_along_but_are_not_the_output() -> None:
    layers = [layer("a"), layer("b", "norm"), layer("id", "other", type="Identity"), layer("c", "activation")]
    tree = folded(architecture([*layers, layer("drop", "dropout")], chain("a", "b", "id", "c", "drop")))
    assert members(tree) == [["a", "b", "id", "c", "drop"]]
    assert tree.nodes[0].layer == "c"


def test_a_reused_activation_does_not_lend_its_name_to_earlier_places() -> None:
    layers = [layer("a"), layer("relu", "activation", calls=2), layer("b")]
    tree = folded(architecture(layers, chain("a", "relu", "b", "relu#2")))
    assert [node.layer for node in tree.nodes] == ["a", "b"]
    assert tree.where()["relu"][0] is tree.nodes[1]


def test_a_chain_takes_no_container_apart() -> None:
    layers = [layer("a"), layer("x.norm", "norm"), layer("x.act", "activation"), layer("x.conv")]
    tree = folded(architecture(layers, chain("a", "x.norm", "x.act", "x.conv")))
    assert members(tree) == [["a"], ["x.norm", "x.act"], ["x.conv"]]
    whole = folded(architecture(layers[:3], chain("a", "x.norm", "x.act")))
    assert members(whole) == [["a", "x.norm", "x.act"]]
    assert whole.where()["x"][0] is whole.nodes[0]


def test_modules_are_groups_and_one_in_one_is_a_single_group() -> None:
    layers = [layer("a.only.c1"), layer("a.only.c2"), layer("b.wrapped")]
    tree = folded(architecture(layers, chain("a.only.c1", "a.only.c2", "b.wrapped")))
    assert list(tree.groups) == ["a"]
    assert tree.groups["a"].aliases == ["a.only"]
    assert [(node.layer, node.scope) for node in tree.nodes] == [
        ("a.only.c1", ("a",)),
        ("a.only.c2", ("a",)),
        ("b.wrapped", ()),
    ]


def test_a_container_that_is_left_and_entered_again_is_no_group() -> None:
    layers = [layer("stages.0"), layer("stages.1"), layer("between")]
    tree = folded(architecture(layers, chain("stages.0", "between", "stages.1")))
    assert tree.groups == {}
    assert [name for name, (node, _) in tree.where().items() if node is tree.nodes[2]] == ["stages", "stages.1"]


def test_a_folded_group_stands_for_all_in_it() -> None:
    tree = folded(residual())
    seen = visible_graph(tree, [])
    assert list(seen.items) == [0, 1, "body", len(read_network(residual()).units) - 1]
    assert seen.links == [(0, 1), (1, "body"), ("body", 14)]


def test_open_groups_frame_what_is_in_them() -> None:
    seen = visible_graph(folded(residual()), ["body", "body.0"])
    assert [seen.frames[key] for key in seen.items] == [(), (), *[("body", "body.0")] * 3, ("body",), ()]


def test_outer_groups_open_until_there_is_something_to_see() -> None:
    names = [f"features.{k}" for k in range(12)]
    single = folded(architecture([layer(name) for name in names], chain(*names)))
    assert default_expanded(single) == ["features"]
    tops = [f"{name}.{k}" for name in "abcdefgh" for k in range(2)]
    assert default_expanded(folded(architecture([layer(name) for name in tops], chain(*tops)))) == []
    many = [f"features.{k}" for k in range(60)]
    assert default_expanded(folded(architecture([layer(name) for name in many], chain(*many)))) == []
