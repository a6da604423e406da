"""CellSum: the strongest input channels, the rest, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

import cnnwidgets as cw
from cnnwidgets.widgets._still.publish import newest_push
from cnnwidgets.widgets.cell_sum import CellSum
from tests.widgets.parity import python_keys, typescript_keys
from tests.widgets.plain_page import Open, colours, pages

RNG = np.random.default_rng(3)


def test_terms_and_rest_add_up_to_the_sum() -> None:
    patch, kernel = RNG.normal(size=(20, 3, 3)), RNG.normal(size=(20, 3, 3))
    value = float((patch * kernel).sum() + 0.5)
    widget = CellSum()
    widget.show("conv2", 4, 1, 7, patch=patch, kernel=kernel, bias=0.5, value=value, inputs=range(10, 30))
    arrays, content = newest_push(widget, "cell")
    assert float(arrays["added"].sum()) + content["rest"] + content["bias"] == pytest.approx(value, abs=1e-5)
    added = np.abs((patch * kernel).sum((1, 2)))
    assert arrays["inputs"].tolist() == (10 + np.argsort(-added)[:8]).tolist()
    assert content["others"] == 12
    assert widget.heading == "Filter 4 of conv2 at row 1, column 7"
    widget.say("Filter 4 of add", "It adds two layers.")
    assert not newest_push(widget, "cell").arrays
    closed = []
    widget.on_close = lambda: closed.append(True)
    widget._receive(None, {"op": "close"}, [])
    assert (widget.heading, closed) == ("", [True])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(cw.InputError, match=r"expected \(C, kh, kw\) of both"):
        CellSum().show("a", 0, 0, 0, patch=np.ones((2, 3, 3)), kernel=np.ones((2, 1, 1)), value=0.0)
    with pytest.raises(cw.InputError, match="2 patches and 1 input channels"):
        CellSum().show("a", 0, 0, 0, patch=np.ones((2, 1, 1)), kernel=np.ones((2, 1, 1)), value=2.0, inputs=[0])


def test_the_page_knows_the_same_traits() -> None:
    assert typescript_keys("CellSumState") == python_keys(CellSum)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def test_the_page_shows_the_sum(opened: Open) -> None:
    widget = CellSum()
    patch, kernel = np.array([[[2.0, 0.0]], [[1.0, 3.0]]]), np.array([[[0.5, 7.0]], [[-1.0, -1.0]]])
    widget.show("conv1", 17, 2, 3, patch=patch, kernel=kernel, bias=0.25, value=0.0, steps=[("ReLU", 0.0)])
    view = opened(widget, width=420)
    assert view.get_by_text("0.250 (bias) − 4.00 + 1.00 = −2.75, after ReLU 0").is_visible()
    rows = view.locator("tbody tr")
    assert [rows.nth(at).get_attribute("data-input") for at in (0, 1)] == ["1", "0"]
    # Products −1 and −3 of input 1: blue, the second at the end of the scale; 0 is white.
    first, second = colours(view, "tbody canvas", 2)[0]
    assert first[2] > first[0]
    assert second == [5, 48, 97]
    np.testing.assert_allclose(colours(view, "tbody canvas", 3)[0][1], [247, 247, 247], atol=3, err_msg="0 is white")
    assert view.get_by_role("img", name="−1.00 −3.00").is_visible()
    view.get_by_role("button", name="Close").click()
    assert view.evaluate("sent.at(-1).op") == "close"
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Filter-17-of-conv1-at-row-2-column-3.png"
