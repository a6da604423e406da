"""Lines through a strip: none may be read as another."""

from __future__ import annotations

import itertools

import numpy as np

from cnnwidgets.widgets.architecture_graph.drawing.block import GAP, Point, Wire, route


def shared_length(a: list[Point], b: list[Point]) -> float:
    """How far two lines of upright and level pieces run on top of each other."""
    total = 0.0
    for (a1, a2), (b1, b2) in itertools.product(itertools.pairwise(a), itertools.pairwise(b)):
        for across, along in ((0, 1), (1, 0)):
            if a1[across] == a2[across] == b1[across] == b2[across]:
                low = max(min(a1[along], a2[along]), min(b1[along], b2[along]))
                high = min(max(a1[along], a2[along]), max(b1[along], b2[along]))
                total += max(0.0, high - low)
    return total


def test_a_straight_wire_is_one_piece_as_long_as_the_gap() -> None:
    assert route([Wire(5, 5, "a", "b")]) == (GAP, [[(5, 0.0), (5, GAP)]])


def test_a_fan_out_shares_one_track_half_way() -> None:
    height, lines = route([Wire(0, x, "a", x) for x in (-50.0, 0.0, 50.0)])
    assert height == 16
    assert sorted(lines) == [
        [(0, 0.0), (0, 8.0), (-50.0, 8.0), (-50.0, 16.0)],
        [(0, 0.0), (0, 8.0), (50.0, 8.0), (50.0, 16.0)],
        [(0, 0.0), (0, 16.0)],
    ]


def test_a_line_leaves_before_another_comes_in_at_the_same_x() -> None:
    leaving, coming = Wire(0, 100, "a", "lane"), Wire(60, 0, "other lane", "b")
    _, lines = route([Wire(0, 0, "a", "b"), leaving, coming])
    level = {line[0][0] - line[-1][0]: line[1][1] for line in lines if len(line) == 4}
    assert level[-100] < level[60]


def test_lines_of_unrelated_wires_never_run_on_top_of_each_other() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        sources = {f"s{k}": 40.0 * k for k in range(int(rng.integers(1, 7)))}
        targets = {f"t{k}": 40.0 * k + 17 for k in range(int(rng.integers(1, 7)))}
        pairs = [(s, t) for s in sources for t in targets if rng.random() < 0.4]
        wires = {(s, t): Wire(sources[s], targets[t], s, t) for s, t in pairs}
        _, lines = route(list(wires.values()))
        found = {(line[0][0], line[-1][0]): line for line in lines}
        drawn = {pair: found[wire.x1, wire.x2] for pair, wire in wires.items()}
        for (s1, t1), (s2, t2) in itertools.combinations(drawn, 2):
            if s1 == s2 or t1 == t2:
                continue
            # two wires on one track are read as four: right only if the other two exist
            if shared_length(drawn[s1, t1], drawn[s2, t2]) > 0:
                assert {(s1, t2), (s2, t1)} <= set(pairs)
