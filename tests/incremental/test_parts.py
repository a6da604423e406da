"""Parts of windows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnwidgets.incremental.values.boxes import EditBox
from cnnwidgets.incremental.values.parts import parts


@given(st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=20))
def test_each_edit_is_in_one_part_that_holds_its_box(spans: list[tuple[int, int, int, int]]) -> None:
    y0, y1, x0, x1 = (np.array(values, np.int64) for values in zip(*spans, strict=True))
    box = EditBox(np.minimum(y0, y1), np.maximum(y0, y1), np.minimum(x0, x1), np.maximum(x0, x1))
    size = box.size
    corners = box.corners(size, (20, 20))
    found = parts(box, corners, size)
    assert sorted(np.concatenate([part.which for part in found]).tolist()) == list(range(len(spans)))
    for part in found:
        for which in part.which:
            top, left = corners[0][which], corners[1][which]
            assert top + part.top <= box.y0[which] <= box.y1[which] <= top + part.bottom
            assert left + part.left <= box.x0[which] <= box.x1[which] <= left + part.right
        assert 0 <= part.top < part.bottom <= size[0]
        assert 0 <= part.left < part.right <= size[1]
