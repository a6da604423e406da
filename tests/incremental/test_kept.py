"""Values of the unedited image that are let go and made again."""

from __future__ import annotations

import sys

import pytest
import torch

from cnnwidgets.incremental.memo import Memo
from cnnwidgets.incremental.values.recomputable import Recomputable, recomputables
from cnnwidgets.incremental.work import Work


def nothing(_: object, __: object, ___: bool) -> None:
    """What a step says when it is done."""


def test_a_value_is_made_again_of_what_was_let_go_too() -> None:
    start = Recomputable(torch.tensor([1.0, -2.0]))
    doubled = recomputables(torch.mul, (start, 2.0), {}, nothing)
    rectified = recomputables(torch.relu, (doubled,), {}, nothing)
    for value in (start, doubled, rectified):
        value.let_go()
    assert start.stored is not None  # nothing can make it again
    assert doubled.stored is rectified.stored is None
    assert rectified.tensor.tolist() == [2.0, 0.0]


def test_what_was_looked_at_stays() -> None:
    value = recomputables(torch.neg, (Recomputable(torch.ones(3)),), {}, nothing)
    assert value.tensor.tolist() == [-1.0] * 3
    value.let_go()
    assert value.stored is not None


def test_a_long_chain_needs_no_deep_stack() -> None:
    values = [Recomputable(torch.zeros(1))]
    for _ in range(2 * sys.getrecursionlimit()):
        values.append(recomputables(torch.add, (values[-1], 1.0), {}, nothing))
    for value in values:
        value.let_go()
    assert values[-1].tensor.item() == 2 * sys.getrecursionlimit()


def test_each_part_of_several_is_made_again() -> None:
    parts = recomputables(torch.split, (Recomputable(torch.arange(4.0)), 2), {}, nothing)
    for part in parts:
        part.let_go()
    assert [part.tensor.tolist() for part in parts] == [[0.0, 1.0], [2.0, 3.0]]


def test_it_is_not_made_of_what_has_been_written_to_since() -> None:
    weight = torch.ones(2)
    value = recomputables(torch.mul, (Recomputable(torch.ones(2)), weight), {}, nothing)
    value.let_go()
    weight.add_(1.0)
    with pytest.raises(RuntimeError, match="written"):
        _ = value.tensor


def test_the_work_is_counted_each_time() -> None:
    done = []
    value = recomputables(torch.neg, (Recomputable(torch.ones(1)),), {}, lambda _, __, again: done.append(again))
    value.let_go()
    _ = value.tensor
    assert len(done) == 2
    assert done == [False, True]


def test_what_is_made_again_is_done_and_need_not_have_been() -> None:
    work = Work()
    work.once(5)
    work.once(5, again=True)
    assert (work.done, work.least) == (10, 5)


def test_only_a_run_of_edits_lets_go() -> None:
    memo, start = Memo(), Recomputable(torch.ones(1))
    value = memo.get(torch.neg, (start,), {}, lambda: recomputables(torch.neg, (start,), {}, nothing))
    memo.end_of_run(edits=False)
    assert value.stored is not None
    memo.end_of_run()
    assert value.stored is None
    assert memo.get(torch.neg, (start,), {}, lambda: None) is value
