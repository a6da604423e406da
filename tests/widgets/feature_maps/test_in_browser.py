"""The built widget in headless Chromium: pixels, clicks, keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.feature_maps import FeatureMaps
from tests.browser.looks import WRITTEN
from tests.canvas import rgba
from tests.widgets.plain_page import Open, messages, pages

GREY = np.arange(8 * 2 * 2, dtype=np.float32).reshape(8, 2, 2) - 8


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield lambda widget, width=1000: open_page(widget, width)


def cell_pixels(view: Page, channel: int) -> list[list[int]]:
    canvas = view.locator(f'[data-channel="{channel}"] canvas').first
    pixels: list[list[int]] = rgba(canvas)[..., :3].reshape(-1, 3).tolist()
    return pixels


def channels(view: Page) -> list[int]:
    script = "cells => cells.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).map(cell => Number(cell.dataset.channel))"
    shown: list[int] = view.eval_on_selector_all("[data-channel]", script)
    return shown


def get(view: Page, trait: str) -> Any:
    return view.evaluate("name => model.get(name)", trait)


def focused(view: Page) -> str | None:
    channel: str | None = view.evaluate("document.activeElement.dataset.channel ?? null")
    return channel


def test_cells_are_painted_per_map_per_layer_and_where_not_finite(opened: Open) -> None:
    maps = np.array([[[0.0, 1.0]], [[1.0, 4.0]], [[np.nan, 2.0]]])
    view = opened(FeatureMaps(maps, layer="conv1", colormap="gray"))
    assert cell_pixels(view, 0) == [[0, 0, 0], [255, 255, 255]]
    assert cell_pixels(view, 1) == [[0, 0, 0], [255, 255, 255]]
    view.get_by_label("Scale").select_option("layer")
    assert cell_pixels(view, 0) == [[0, 0, 0], [64, 64, 64]]  # 0 and 1 of 0 to 4
    assert cell_pixels(view, 1) == [[64, 64, 64], [255, 255, 255]]
    bad, good = cell_pixels(view, 2)
    assert good == [128, 128, 128]
    assert bad[0] > bad[1], "magenta or its shade, not a grey"
    assert view.evaluate("saved.at(-1).scale") == "layer"
    assert "1 value is NaN or infinite" in view.locator(".fm-note").inner_text()


def test_a_click_selects_and_shows_the_true_numbers(opened: Open) -> None:
    widget = FeatureMaps(GREY, layer="blocks.2.1")
    widget.show(GREY, "blocks.2.1", receptive_field=(75, 51), contribution=np.arange(8) - 3.5, target_name="tiger cat")
    view = opened(widget)
    assert view.get_by_text("Click a map to see it large.").is_visible()
    view.locator('[data-channel="3"]').click()
    assert (get(view, "channel"), view.evaluate("saved.length")) == (3, 1)
    text = view.locator(".fm-values").inner_text().split("\n")
    facts = dict(zip(text[::2], text[1::2], strict=True))
    assert facts == {
        "minimum": "4.00",
        "maximum": "7.00",
        "mean": "5.50",
        "zeros": "0 %",
        "layer": "blocks.2.1",
        "channel": "3 (0 to 7)",
        "receptive field": "75 × 51 px",
        "contribution to tiger cat": "−0.500",
    }
    assert view.locator('[aria-selected="true"]').get_attribute("data-channel") == "3"
    view.locator(".fm-large").hover(position={"x": 300, "y": 5})
    assert view.locator(".fm-reading").inner_text() == "≈ 5.00 at row 0, column 1"
    view.get_by_role("button", name="Close").click()
    assert get(view, "channel") is None
    assert focused(view) == "3"


def test_keys_reach_all_of_2048_channels_of_which_few_exist(opened: Open) -> None:
    view = opened(FeatureMaps(np.zeros((2048, 7, 7)), layer="layer4"))
    assert view.locator("[data-channel]").count() < 100
    view.locator('[data-channel="0"]').focus()
    view.keyboard.press("End")
    assert focused(view) == "2047"
    view.keyboard.press("Home")
    view.keyboard.press("ArrowDown")
    columns = int(focused(view) or 0)
    assert columns == 8
    view.keyboard.press("ArrowRight")
    view.keyboard.press("Enter")
    assert get(view, "channel") == columns + 1
    view.keyboard.press("Escape")
    assert get(view, "channel") is None
    assert view.locator('[data-channel][tabindex="0"]').count() == 1
    view.evaluate("document.querySelector('.fm-scroll').scrollTop = 9800")
    view.locator('[data-channel="800"]').wait_for()
    assert view.locator("[data-channel]").count() < 120
    assert focused(view) == str(columns + 1), "scrolling away must not lose the focus"


def test_maps_are_sorted_and_python_selects(opened: Open) -> None:
    maps = np.array([[[1.0]], [[3.0]], [[2.0]]])
    view = opened(FeatureMaps(maps, layer="a"))
    assert channels(view) == [0, 1, 2]
    view.get_by_label("Sort").select_option("maximum")
    assert channels(view) == [1, 2, 0]
    view.evaluate("model.set('channel', 2)")
    assert view.locator('[aria-selected="true"]').get_attribute("data-channel") == "2"
    view.get_by_role("button", name="Next channel").click()
    assert get(view, "channel") == 0
    assert view.get_by_role("button", name="Next channel").is_disabled()


def test_a_push_repaints_and_says_so_and_an_older_one_is_dropped(opened: Open) -> None:
    widget = FeatureMaps(GREY, layer="old", channel=1)
    older = messages(widget)[0]
    view = opened(widget)
    widget.show(np.zeros((3, 5, 5)), "new")
    view.evaluate("deliver", messages(widget)[0])
    view.evaluate("deliver", older)
    assert [event["layer"] for event in view.evaluate("painted")] == ["old", "new"]
    root = view.locator("#root")
    assert root.get_attribute("data-painted") == "new"
    assert root.get_attribute("data-painted-id") == str(view.evaluate("painted.at(-1).id"))
    assert channels(view) == [0, 1, 2]
    widget.clear("fc gives 1000 numbers, not maps.", "fc")
    view.evaluate("deliver", messages(widget)[0])
    assert view.get_by_text("fc gives 1000 numbers, not maps.").is_visible()
    assert not view.locator(".fm-scroll").is_visible()
    assert root.get_attribute("data-painted") == "fc"


def test_the_selected_map_is_on_screen_in_another_layer_and_order(opened: Open) -> None:
    widget = FeatureMaps(np.arange(2048.0).reshape(2048, 1, 1), layer="a", channel=1500)
    view = opened(widget)
    inside = """() => {
        const cell = document.querySelector('[aria-selected="true"]').getBoundingClientRect();
        const area = document.querySelector(".fm-scroll").getBoundingClientRect();
        return area.top <= cell.top && cell.bottom <= area.bottom;
    }"""
    assert view.evaluate(inside)
    view.get_by_label("Sort").select_option("maximum")
    assert view.evaluate(inside)
    widget.show(np.arange(1600.0).reshape(1600, 1, 1), "b")
    view.evaluate("deliver", messages(widget)[0])
    assert view.evaluate(inside)
    view.evaluate("document.querySelector('.fm-scroll').scrollTop = 0")
    view.get_by_label("Colour map").select_option("viridis")
    assert view.evaluate("document.querySelector('.fm-scroll').scrollTop") == 0, "new colours must not scroll"


def test_maps_are_switched_off_and_on_by_button_and_key(opened: Open) -> None:
    widget = FeatureMaps(GREY, layer="a", channel=3, switchable=True, effect="2 maps switched off: cat 40 % → 10 %")
    widget.off = [5]
    view = opened(widget)
    assert view.locator(".fm-off").get_attribute("data-channel") == "5"
    view.get_by_role("button", name="Switch off", exact=True).click()
    assert get(view, "off") == [3, 5]
    assert view.locator(".fm-off").count() == 2
    view.locator('[data-channel="3"]').press("0")
    assert get(view, "off") == [5]
    assert view.get_by_text("cat 40 % → 10 %").is_visible()
    view.locator('[data-channel="5"]').click()
    assert view.get_by_role("button", name="Switch on", exact=True).is_visible()


def test_without_a_model_there_is_no_switch(opened: Open) -> None:
    view = opened(FeatureMaps(GREY, layer="a", channel=3))
    assert view.get_by_role("button", name="Switch off", exact=True).is_hidden()
    view.locator('[data-channel="3"]').press("0")
    assert get(view, "off") == []


def test_contribution_of_other_maps_is_not_shown(opened: Open) -> None:
    widget = FeatureMaps()
    widget.show(GREY, "a", contribution=np.ones(8), target_name="cat", channel=0)
    stale = messages(widget)[1]
    view = opened(widget)
    assert view.get_by_text("contribution to").count() == 1
    widget.show(GREY, "a")
    view.evaluate("deliver", messages(widget)[0])
    view.evaluate("deliver", stale)
    assert view.get_by_text("contribution to").count() == 0
    assert view.locator("option[value=contribution]").is_disabled()


def test_names_are_text_and_do_not_widen_the_page(opened: Open) -> None:
    name = "<script>window.bad = 1</script>" + "a.very.long.name." * 40
    for width in (300, 700, 1000):
        view = opened(FeatureMaps(GREY, layer=name, channel=0), width)
        assert view.evaluate("window.bad") is None
        assert view.locator(".fm-root > .cnnw-heading bdi").inner_text() == name
        assert view.evaluate("document.getElementById('root').scrollWidth") == width
        view.close()


def test_resizing_reflows_and_hidden_views_paint_when_shown(opened: Open) -> None:
    view = opened(FeatureMaps(np.zeros((40, 4, 4)), layer="a"), 300)
    across = "new Set([...document.querySelectorAll('[data-channel]')].map(e => e.getBoundingClientRect().x)).size"
    assert view.evaluate(across) == 3
    view.evaluate("document.getElementById('root').style.width = '700px'")
    view.wait_for_function(across + " === 5")  # beside them the large one
    view.evaluate("""() => {
        window.late = document.createElement("div");
        late.style.display = "none";
        document.body.append(late);
        widget.render({model, el: late});
    }""")
    assert view.evaluate("late.dataset.painted") is None
    view.evaluate("late.style.display = ''")
    view.wait_for_function("late.dataset.painted === 'a'")


def test_the_picture_shows_through_and_save_writes_what_is_seen(opened: Open, tmp_path: Path) -> None:
    picture = np.full((10, 10, 3), (0, 0, 200), np.uint8)
    widget = FeatureMaps(GREY, layer="a/b", picture=picture, colormap="gray", opacity=0.5, channel=0)
    view = opened(widget)
    corner = """() => [...document.querySelector(".fm-large").getContext("2d").getImageData(2, 2, 1, 1).data]"""
    assert np.allclose(view.evaluate(corner), [0, 0, 100, 255], atol=2)  # half black over blue
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Feature-map-0-a-b.png"
    target = tmp_path / "saved.png"
    download.value.save_as(target)
    saved = np.asarray(Image.open(target).convert("RGB"))[::2, ::2]  # it is twice as large
    left, top = 24, 24 + 26  # a margin, and the title's one line
    side = view.evaluate("document.querySelector('.fm-large').width")
    np.testing.assert_allclose(saved[top + 2, left + 2], [0, 0, 100], atol=2)
    np.testing.assert_allclose(saved[top + side - 2, left + side - 2], [128, 128, 228], atol=2)  # half white over blue
    bar = saved[top + side + 16 + 8].astype(int)
    np.testing.assert_allclose([bar[left + 1], bar[left + side - 2]], [[0] * 3, [255] * 3], atol=3)
    assert (saved[:top, left:] < 100).any(), "a title above"


def test_a_saved_map_names_photograph_and_network(opened: Open, tmp_path: Path) -> None:
    widget = FeatureMaps(photograph="cat 1.png", network="resnet18")
    widget.show(GREY, "a/b", channel=0, contribution=np.linspace(1.5, 2.5, len(GREY)), target_name="tabby")
    view = opened(widget)
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Feature-map-0-a-b-cat-1.png-resnet18.png"
    written = view.evaluate("written")
    assert written[0] == "Feature map 0 · a/b · cat 1.png · resnet18"
    assert "Contribution to tabby: 1.50" in written


def test_undo_leaves_no_listener_and_no_element(opened: Open) -> None:
    view = opened(FeatureMaps(GREY, layer="a"))
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel of the model stays, for other views"
    assert view.evaluate("document.getElementById('root').children.length") == 0


def test_each_message_of_256_maps_is_painted_at_once(opened: Open) -> None:
    widget = FeatureMaps(np.maximum(np.random.default_rng(0).normal(size=(256, 56, 56)), 0), layer="a")
    view = opened(widget)
    script = """([content, texts]) => {
        const before = painted.length;
        deliver([{...content, id: content.id + 1}, texts.map(decode)]);
        return painted.length - before;
    }"""
    assert view.evaluate(script, messages(widget)[0]) == 1


def test_tab_comes_back_to_the_selected_map(opened: Open) -> None:
    view = opened(FeatureMaps(GREY, layer="conv1"))
    view.locator('[data-channel="2"]').click()
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowRight")
    assert focused(view) == "4"
    assert get(view, "channel") == 2
    view.keyboard.press("Shift+Tab")
    assert focused(view) is None
    view.keyboard.press("Tab")
    assert focused(view) == "2"


def test_bars_tell_their_sign_by_more_than_colour(opened: Open) -> None:
    maps = np.array([[[-4.0, -2.0]], [[1.0, 4.0]]], dtype=np.float32)
    view = opened(FeatureMaps(maps, layer="conv1"))
    look = """(bar) => { const style = getComputedStyle(bar), box = bar.getBoundingClientRect();
        const track = bar.parentElement.getBoundingClientRect();
        return [style.backgroundColor !== "rgba(0, 0, 0, 0)", box.left - track.left < 1, track.right - box.right < 1,
            box.width / track.width]; }"""
    negative = view.locator('[data-channel="0"] .fm-track i').evaluate(look)
    positive = view.locator('[data-channel="1"] .fm-track i').evaluate(look)
    assert negative[:3] == [False, False, True], "hollow, from the right"
    assert positive[:3] == [True, True, True], "filled, the longest"
    assert negative[3] == pytest.approx(0.5, abs=0.03)


def test_a_cell_shows_what_it_sees_and_opens_its_sum(opened: Open) -> None:
    widget = FeatureMaps(clickable=True, picture=np.zeros((20, 40, 3), np.uint8))
    # Of the 2 x 2 cells the one at row 1, column 0 sees rows 0.25 to 1 and columns 0 to 0.6.
    widget.show(GREY, "conv", channel=5, cells=([[0, 0.75], [0.25, 1]], [[0, 0.6], [0.4, 1]]))
    view = opened(widget)
    field, large = view.locator(".cnnw-field-box"), view.locator("canvas.fm-large")
    assert not field.is_visible()
    view.evaluate("addEventListener('cnnw-field', event => (window.field = event.detail))")
    box = large.bounding_box()
    assert box
    view.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.8)
    assert field.is_visible()
    inside = field.bounding_box()
    assert inside
    seen = [inside["y"] - box["y"], inside["x"] - box["x"], inside["height"], inside["width"]]
    shares = [0.25 * box["height"], 0, 0.75 * box["height"], 0.6 * box["width"]]
    np.testing.assert_allclose(seen, shares, atol=1.5)
    np.testing.assert_allclose(view.evaluate("field"), [0.25, 0, 1, 0.6], rtol=1e-6)
    view.mouse.down()
    view.mouse.up()
    assert view.evaluate("(({op, channel, row, column}) => [op, channel, row, column])(sent.at(-1))") == [
        "cell",
        5,
        1,
        0,
    ]
    view.mouse.move(0, 0)
    assert not field.is_visible()
    assert view.evaluate("field") is None
    large.focus()
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowRight")
    assert field.is_visible()
    view.keyboard.press("Enter")
    assert view.evaluate("[sent.at(-1).row, sent.at(-1).column]") == [0, 1]
