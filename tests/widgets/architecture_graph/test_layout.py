"""Where things are: straight trunks, nothing on top of anything else, every link drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnwidgets.widgets.architecture_graph.drawing.block import Point, Rectangle
from cnnwidgets.widgets.architecture_graph.drawing.layout import Drawing, lay_out
from tests.calls import python_calls


def middle(box: Rectangle) -> float:
    return box.x + box.width / 2


def apart(a: Rectangle, b: Rectangle) -> bool:
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


def on(line: list[Point], point: Point) -> bool:
    """Whether ``line``, of upright and level pieces, goes through ``point``."""
    return any(
        min(x1, x2) - 0.5 <= point[0] <= max(x1, x2) + 0.5 and min(y1, y2) - 0.5 <= point[1] <= max(y1, y2) + 0.5
        for (x1, y1), (x2, y2) in itertools.pairwise(line)
    )


def leads(drawing: Drawing, source: Rectangle, target: Rectangle) -> bool:
    """Whether lines go from the foot of ``source`` to the top of ``target``, each starting on the one before."""
    waiting = [line for line in drawing.lines if on(line[:1] * 2, (middle(source), source.y + source.height))]
    rest = [line for line in drawing.lines if line not in waiting]
    while waiting:
        line = waiting.pop()
        if on(line[-1:] * 2, (middle(target), target.y)):
            return True
        waiting += [other for other in rest if on(line, other[0])]
        rest = [other for other in rest if not on(line, other[0])]
    return False


def check(drawing: Drawing, links: list[tuple[int, int]]) -> None:
    for a, b in itertools.combinations(drawing.nodes.values(), 2):
        assert apart(a, b), (a, b)
    for source, target in links:
        a, b = drawing.nodes[source], drawing.nodes[target]
        assert a.y + a.height <= b.y
        assert leads(drawing, a, b), (source, target)
    for line in drawing.lines:
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in line)
        assert all(x1 == x2 or y1 == y2 for (x1, y1), (x2, y2) in itertools.pairwise(line))


def test_a_chain_of_500_is_perfectly_straight() -> None:
    drawing = lay_out(range(500), list(itertools.pairwise(range(500))), {}, {})
    assert {middle(box) for box in drawing.nodes.values()} == {drawing.axis}
    assert {b.y - a.y for a, b in itertools.pairwise(drawing.nodes.values())} == {50.0}
    assert drawing.width == 236 + 2 * 9


def test_300_residual_blocks_do_not_drift() -> None:
    links: list[tuple[int, int]] = []
    for k in range(300):
        links += [(3 * k, 3 * k + 1), (3 * k + 1, 3 * k + 2), (3 * k, 3 * k + 2), (3 * k + 2, 3 * k + 3)]
    drawing = lay_out(range(901), links, {}, {3 * k + 2: 20.0 for k in range(300)})
    assert {middle(box) for box in drawing.nodes.values()} == {drawing.axis}
    check(lay_out(range(25), links[:32], {}, {}), links[:32])


def test_a_skip_runs_at_the_right_of_what_it_skips() -> None:
    links = [(0, 1), (1, 2), (0, 2)]
    drawing = lay_out([0, 1, 2], links, {}, {2: 20.0})
    assert max(x for line in drawing.lines for x, _ in line) == drawing.nodes[1].x + 236 + 10


def test_branches_are_side_by_side_around_the_axis_and_narrower() -> None:
    links = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]
    drawing = lay_out(range(5), links, {}, {})
    a, b, c = (drawing.nodes[k] for k in (1, 2, 3))
    assert a.y == b.y == c.y
    assert middle(b) == middle(drawing.nodes[0]) == middle(drawing.nodes[4]) == drawing.axis
    assert drawing.axis - middle(a) == middle(c) - drawing.axis == 136 + 14
    assert (a.width, drawing.nodes[0].width) == (136, 236)
    check(drawing, links)


def test_an_open_group_is_a_frame_around_its_members_only() -> None:
    links = [(0, 1), (1, 2), (2, 3), (1, 3)]
    drawing = lay_out([0, 1, 2, 3], links, {1: ("g",), 2: ("g", "h")}, {})
    outer, inner = drawing.frames["g"], drawing.frames["h"]
    for key, box in drawing.nodes.items():
        for frame, members in ((outer, {1, 2}), (inner, {2})):
            inside = frame.x < box.x and box.x + box.width < frame.x + frame.width and frame.y < box.y
            inside = inside and box.y + box.height < frame.y + frame.height
            assert inside == (key in members)
            assert inside or apart(frame, box)
    check(drawing, links)


def test_a_line_back_is_kept_apart() -> None:
    drawing = lay_out([0, 1, 2], [(0, 1), (1, 2), (2, 1)], {}, {})
    assert len(drawing.back) == 1
    assert drawing.back[0][0] == (drawing.axis, drawing.nodes[2].y + 36)
    assert drawing.back[0][-1] == (drawing.axis, drawing.nodes[1].y)
    assert min(x for x, _ in drawing.back[0]) < drawing.nodes[2].x


@pytest.mark.parametrize("seed", range(40))
def test_any_graph_in_any_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 31))
    links = [(a, b) for a in range(count) for b in range(a + 1, count) if rng.random() < 2 / count]
    edge = sorted(rng.choice(count + 1, 2, replace=False).tolist())
    frames = {k: ("g", "h") if k % 2 and k > edge[0] + 1 else ("g",) for k in range(*edge)}
    drawing = lay_out(range(count), links, frames, dict.fromkeys(range(0, count, 5), 20.0))
    assert set(drawing.nodes) == set(range(count))
    if not drawing.back:
        check(drawing, links)


def test_a_dense_block_is_a_comb_and_twice_as_many_take_twice_the_work() -> None:
    block = list(itertools.combinations(range(31), 2))
    work: list[int] = []
    for count in (10, 20):
        links = [(a + 30 * k, b + 30 * k) for k in range(count) for a, b in block]
        work.append(python_calls(lambda links=links, nodes=30 * count + 1: lay_out(range(nodes), links, {}, {})))
    assert work[1] < 2.2 * work[0]
    assert work[1] < 150 * len(links)
    drawing = lay_out(range(601), links, {}, {})
    assert {middle(box) for box in drawing.nodes.values()} == {drawing.axis}
    small = list(itertools.combinations(range(12), 2))
    check(lay_out(range(12), small, {}, {}), small)
