"""The built widget in headless Chromium: dragging, keys, undo, the questions it asks, the sweep and its views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.occluder import Occluder
from tests.browser.looks import WRITTEN, axe, texts, too_wide
from tests.canvas import rgba
from tests.widgets.plain_page import Open, deliver, frame, pages

SIDE = 200
PICTURE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
LABELS = ["tiger cat", "Egyptian cat", "<b>tabby</b>", "lynx"]
BEFORE, AFTER = np.log([0.5, 0.3, 0.15, 0.05]), np.log([0.25, 0.6, 0.1, 0.05])


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def connected(**traits: Any) -> Occluder:
    widget = Occluder(PICTURE, **({"size": 40, "target_name": "tiger cat"} | traits))
    widget.on_move(lambda _: None)
    widget.on_sweep(lambda _: None)
    return widget


def with_sweep(**traits: Any) -> Occluder:
    widget = connected(**traits)
    drop = np.float32([[0.25, -0.125, 0.0], [0.0, np.nan, 0.5]])
    predicted = [[0, 1, 0], [0, -1, 1]]
    scores = np.zeros((2, 3, 2), np.float32)
    scores[..., 0], scores[..., 1] = 0.5 - drop, 0.25
    widget.show_sweep(
        drop,
        predicted,
        [0, 100],
        [0, 60, 120],
        patch=(100, 80),
        names=dict(enumerate(LABELS)),
        first=0,
        scores=scores,
        classes=[0, 1],
        baseline=[0.5, 0.25],
    )
    widget.end_sweep()
    return widget


def at(view: Page, row: float, column: float, where: str = ".oc-stage") -> tuple[float, float]:
    """Pixel (row, column) of the picture on the page."""
    box = view.locator(where).bounding_box()
    assert box is not None
    return box["x"] + (column + 0.25) * box["width"] / SIDE, box["y"] + (row + 0.25) * box["height"] / SIDE


def press(view: Page, row: float, column: float) -> None:
    view.mouse.move(*at(view, row, column))
    view.mouse.down()


def drag(view: Page, *places: tuple[float, float]) -> None:
    press(view, *places[0])
    for place in places[1:]:
        view.mouse.move(*at(view, *place))
    view.mouse.up()
    frame(view)


def boxes(view: Page) -> list[list[int]]:
    found: list[list[int]] = view.evaluate("model.get('patches').map((p) => [p.top, p.left, p.height, p.width])")
    return found


def asked(view: Page, op: str = "score") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = view.evaluate("op => sent.filter((message) => message.op === op)", op)
    return found


def answer(view: Page, widget: Occluder, after: Any = AFTER) -> None:
    """Answer the newest question."""
    widget.show_scores(BEFORE, after, LABELS, 0, move=asked(view)[-1]["id"])
    deliver(view, widget, "scores")


def bars(view: Page) -> list[str]:
    return [row.replace("\n", " ") for row in view.locator(".oc-bars li").all_inner_texts()]


def photo(view: Page) -> Any:
    return rgba(view.locator(".oc-photo"))[..., :3]


def test_a_drag_moves_the_patch_and_asks_one_question_at_a_time(opened: Open) -> None:
    widget = connected()
    view = opened(widget)
    drag(view, (60, 60))
    assert boxes(view) == [[40, 40, 40, 40]]
    press(view, 50, 50)  # held away from its middle
    for step in range(1, 30):
        view.mouse.move(*at(view, 50 + step, 50 + 2 * step))
    frame(view)
    assert boxes(view) == [[69, 98, 40, 40]]
    assert [message["patches"][0]["left"] for message in asked(view)] == [40], "the first is not answered yet"
    answer(view, widget)
    assert [message["patches"][0]["left"] for message in asked(view)] == [40, 98], "the newest place, no queue"
    answer(view, widget)
    assert len(asked(view)) == 2
    view.mouse.up()
    frame(view)
    assert len(asked(view)) == 2, "letting go asks nothing"
    assert view.evaluate("model.get('selected')") == 0


def test_the_patch_is_painted_as_the_network_sees_it(opened: Open) -> None:
    view = opened(connected())
    assert (photo(view) == PICTURE).all()
    drag(view, (60, 60), (10, 100))  # over the upper edge
    expected = PICTURE.copy()
    expected[0:30, 80:120] = 128
    assert (photo(view) == expected).all()
    view.get_by_label("Fill").select_option("black")
    frame(view)
    expected[0:30, 80:120] = 0
    assert (photo(view) == expected).all()
    view.get_by_label("Fill").select_option("color")
    view.get_by_label("Colour of the patch").fill("#102030")
    frame(view)
    expected[0:30, 80:120] = (16, 32, 48)
    assert (photo(view) == expected).all()
    view.get_by_label("Fill").select_option("copy")
    assert view.get_by_text("Click the place that the patch shall show").is_visible()
    drag(view, (150, 150))
    expected[0:30, 80:120] = PICTURE[140:170, 130:170]  # the patch's first ten rows are above the picture
    assert (photo(view) == expected).all()
    assert asked(view)[0]["patches"][0]["fill"] == "grey"
    assert view.evaluate("model.get('patches')[0].source") == [130, 130]


def test_bars_tooltip_and_what_is_read_aloud(opened: Open) -> None:
    widget = connected()
    view = opened(widget)
    assert not view.locator(".oc-bars").is_visible()
    drag(view, (60, 60))
    answer(view, widget)
    assert bars(view) == ["tiger cat 25.0 %", "Egyptian cat 60.0 %", "<b>tabby</b> 10.0 %", "lynx 5.0 %"]
    assert view.locator(".oc-tip").inner_text() == "tiger cat 50.0 % → 25.0 % · now: Egyptian cat"
    assert view.locator(".oc-now").inner_text() == "now: Egyptian cat"
    fill, mark = view.locator("[data-class='0'] i"), view.locator("[data-class='0'] b")
    assert (fill.evaluate("e => e.style.width"), mark.evaluate("e => e.style.left")) == ("25%", "50%")
    view.wait_for_function("document.querySelector('[aria-live]').textContent !== ''")
    assert view.locator("[aria-live]").inner_text() == "tiger cat 50.0 % → 25.0 %; now: Egyptian cat"
    drag(view, (60, 60), (100, 100))
    answer(view, widget, BEFORE)
    assert view.locator(".oc-tip").inner_text() == "tiger cat 50.0 % → 50.0 %"
    assert view.locator(".oc-now").inner_text() == ""


def test_keys_move_grow_remove_and_undo(opened: Open) -> None:
    view = opened(connected())
    stage = view.locator(".oc-stage")
    stage.focus()
    view.keyboard.press("Enter")
    assert boxes(view) == [[80, 80, 40, 40]]
    view.keyboard.press("ArrowLeft")
    view.keyboard.press("Shift+ArrowUp")
    assert boxes(view) == [[40, 79, 40, 40]]
    view.keyboard.press("End")
    assert boxes(view) == [[40, 160, 40, 40]]
    view.keyboard.press("+")
    assert boxes(view)[0][2:] == [45, 45]
    view.keyboard.press("Control+z")
    assert boxes(view) == [[40, 160, 40, 40]]
    view.keyboard.press("Control+Shift+z")
    assert boxes(view)[0][2:] == [45, 45]
    view.keyboard.press("Delete")
    assert boxes(view) == []
    frame(view)
    assert "no patch" in (stage.get_attribute("aria-label") or "")
    view.get_by_role("button", name="Undo").click()
    assert boxes(view)[0][2:] == [45, 45]
    view.get_by_role("button", name="Redo").click()
    assert boxes(view) == []


def test_the_wheel_changes_the_size_over_the_patch_and_scrolls_the_page_elsewhere(opened: Open) -> None:
    view = opened(connected())
    view.evaluate("document.body.style.height = '4000px'")
    view.mouse.move(*at(view, 20, 20))
    view.mouse.wheel(0, 100)
    view.wait_for_function("scrollY > 0")
    view.evaluate("scrollTo(0, 0)")
    drag(view, (100, 100))
    view.mouse.wheel(0, -100)
    view.wait_for_function("model.get('patches')[0].width > 40")
    assert boxes(view)[0][3] == 45, "one notch is one step of 12 %"
    assert view.evaluate("scrollY") == 0
    size = boxes(view)[0][3]
    frame(view)
    assert view.get_by_label("Size of the patch").input_value() == str(size)
    view.get_by_label("Size of the patch").fill("10")
    view.get_by_label("Size of the patch").press("Enter")
    assert boxes(view)[0][2:] == [10, 10]


def test_several_patches_are_added_selected_removed_and_cleared(opened: Open) -> None:
    view = opened(connected())
    for name in ("Remove patch", "Undo", "Redo", "Clear"):
        assert view.get_by_role("button", name=name).is_disabled()
    view.get_by_role("button", name="Add patch").click()
    view.get_by_role("button", name="Add patch").click()
    assert boxes(view) == [[80, 80, 40, 40], [100, 100, 40, 40]]
    frame(view)
    assert view.locator('.oc-line[stroke="#fff"]').count() == 2
    drag(view, (90, 90), (30, 30))
    assert boxes(view) == [[20, 20, 40, 40], [100, 100, 40, 40]]
    assert view.evaluate("model.get('selected')") == 0
    view.get_by_role("button", name="Remove patch").click()
    assert boxes(view) == [[100, 100, 40, 40]]
    view.get_by_role("button", name="Clear").click()
    assert boxes(view) == []
    assert asked(view)[0]["patches"] != []
    view.get_by_role("button", name="Undo").click()
    view.get_by_role("button", name="Undo").click()
    assert len(boxes(view)) == 2


def test_python_moves_the_patch_but_not_under_the_pointer(opened: Open) -> None:
    view = opened(connected(patches=[[10, 10, 40, 40]]))
    put = "([top, left]) => model.set('patches', [{top, left, height: 40, width: 40, fill: 'grey'}])"
    view.evaluate(put, [60, 70])
    frame(view)
    assert (photo(view)[60:100, 70:110] == 128).all()
    press(view, 80, 90)
    view.mouse.move(*at(view, 90, 100))
    view.evaluate(put, [0, 0])
    view.mouse.move(*at(view, 91, 100))
    view.mouse.up()
    assert boxes(view) == [[71, 80, 40, 40]]


def test_a_question_that_fails_does_not_block_the_next(opened: Open) -> None:
    view = opened(connected())
    drag(view, (60, 60), (70, 70))
    assert len(asked(view)) == 1
    view.evaluate("model.set('error', 'no luck')")
    assert len(asked(view)) == 2
    drag(view, (70, 70), (90, 90))
    view.evaluate("model.set('busy', true)")
    view.evaluate("model.set('busy', false)")
    view.wait_for_function("sent.filter((message) => message.op === 'score').length === 3")
    assert asked(view)[-1]["patches"][0]["top"] == 70
    assert view.get_by_role("alert").inner_text().startswith("no luck")


def test_alone_it_says_that_nothing_is_connected_and_the_trait_follows(opened: Open) -> None:
    widget = Occluder(PICTURE, size=40)
    view = opened(widget)
    assert view.get_by_text("Nothing is connected: observe patches.").is_visible()
    assert not view.get_by_role("button", name="Sweep").is_visible()
    drag(view, (60, 60), (80, 60))
    assert asked(view) == []
    assert view.evaluate("saved.at(-1).patches[0].top") == 60
    widget.show_scores(BEFORE, AFTER, LABELS)
    deliver(view, widget, "scores")
    assert not view.get_by_text("Nothing is connected").is_visible()
    empty = opened(Occluder())
    assert empty.get_by_text("No image yet").is_visible()
    assert not empty.locator(".oc-stage").is_visible()


def test_the_map_of_the_edited_picture_leaves_the_patch_free(opened: Open) -> None:
    widget = connected(patches=[[0, 0, 40, 40]])
    widget.show_heat([[1.0, 1.0], [-1.0, -1.0]])
    view = opened(widget)
    heat = rgba(view.locator(".oc-heat"))
    assert heat[20, 20, 3] == 0, "the patch"
    assert heat[20, 100, 3] == 255
    assert heat[190, 100, 3] == 0, "not positive"
    view.get_by_label("Show Grad-CAM of the edited picture").uncheck()
    frame(view)
    assert not view.locator(".oc-heat").is_visible()
    assert view.evaluate("saved.at(-1).with_heat") is False


def test_the_map_of_the_edited_picture_has_its_colour_bar(opened: Open) -> None:
    widget = connected(patches=[[0, 0, 40, 40]])
    view = opened(widget)
    bar, hint = view.locator(".oc-heat-bar"), view.get_by_text("Press or drag on the picture.")
    before = hint.bounding_box()
    assert not bar.is_visible(), "its room is kept"
    widget.show_heat([[0.25, 0.5], [-1.0, 0.0]], unit="weighted activation")
    deliver(view, widget, "heat")
    assert hint.bounding_box() == before
    assert bar.locator("span").all_inner_texts() == ["0", "weighted activation", "0.500"]
    assert bar.get_attribute("aria-label") == "Colours from 0 to 0.500 weighted activation"
    heat = rgba(view.locator(".oc-heat"))
    np.testing.assert_allclose(heat[20, 199], [252, 255, 164, 255], atol=1)  # the last colour stands for 0.5
    np.testing.assert_allclose(heat[45, 10], [188, 55, 84, 255], atol=1)  # the one in the middle for 0.25
    widget.show_heat([[-1.0, -1.0], [-1.0, -1.0]], unit="weighted activation")
    deliver(view, widget, "heat")
    assert bar.locator("span").all_inner_texts() == ["", "No place speaks for the class", ""]
    view.get_by_label("Show Grad-CAM of the edited picture").uncheck()
    frame(view)
    assert not bar.is_visible()
    assert hint.bounding_box() == before
    assert opened(Occluder(PICTURE)).locator(".oc-heat-bar").evaluate("e => e.hidden"), "nobody makes a map"


def test_a_sweep_is_asked_for_followed_and_cancelled(opened: Open) -> None:
    widget = connected(fill="blur")
    view = opened(widget)
    assert view.get_by_text("40 px patch at 81 places").is_visible()
    view.get_by_label("Stride of the sweep").fill("40")
    view.get_by_label("Stride of the sweep").press("Enter")
    frame(view)
    assert view.get_by_text("40 px patch at 25 places").is_visible()
    view.get_by_role("button", name="Sweep").click()
    assert asked(view, "sweep")[0] | {"id": 0} == {
        "op": "sweep",
        "id": 0,
        "size": 40,
        "stride": 40,
        "fill": "blur",
        "color": "#ff8800",
    }
    now = {"sweep": "running", "progress": 0.4, "progress_text": "40 % · 3 s left"}
    view.evaluate("now => Object.entries(now).forEach((each) => model.set(...each))", now)
    assert view.get_by_text("40 % · 3 s left").is_visible()
    assert view.get_by_role("progressbar").evaluate("e => e.value") == 0.4
    assert view.get_by_role("button", name="Sweep").is_disabled()
    view.get_by_role("button", name="Cancel").click()
    assert len(asked(view, "cancel")) == 1
    view.evaluate("[['sweep', 'stopped'], ['sweep_text', 'Stopped at 40 %.']].forEach((a) => model.set(...a))")
    assert view.get_by_text("Stopped at 40 %.").is_visible()
    assert not view.get_by_role("button", name="Cancel").is_visible()
    view.evaluate("model.set('fill', 'copy')")
    frame(view)
    assert view.get_by_role("button", name="Sweep").is_disabled()


def test_one_place_is_no_sweep(opened: Open) -> None:
    view = opened(connected(size=SIDE))
    assert view.get_by_text("200 px patch at 1 place: choose a smaller one").is_visible()
    assert view.get_by_role("button", name="Sweep").is_disabled()


def test_the_map_says_what_made_it_and_when_the_settings_are_others(opened: Open) -> None:
    widget = connected(fill="blur", stride=160)
    drop = np.float32([[0.0004, 0.0], [0.0, -0.0002]])
    widget.show_sweep(drop, [[0, 0], [0, 0]], [0, 160], [0, 160], patch=(40, 40), names={0: "cat"}, first=0)
    widget.end_sweep()
    view = opened(widget)
    assert view.get_by_text("40 px patch, stride 160, blur fill").is_visible()
    assert view.get_by_text("The score hardly moves: all differences are below 0.1 points.").is_visible()
    assert view.locator(".oc-ends span").all_inner_texts() == ["−0.04 points", "0", "+0.04 points"]
    stale = view.get_by_text("Settings changed: press Sweep again.")
    for trait, other, own in (("size", 20, 40), ("stride", 10, 160), ("fill", "grey", "blur")):
        assert not stale.is_visible()
        view.evaluate("([trait, value]) => model.set(trait, value)", [trait, other])
        frame(view)
        assert stale.is_visible(), trait
        view.evaluate("([trait, value]) => model.set(trait, value)", [trait, own])
        frame(view)
    view.evaluate("model.set('can_sweep', false), model.set('size', 20)")
    frame(view)
    assert not stale.is_visible(), "there is nothing to press"


def test_an_outline_stays_on_the_picture(opened: Open) -> None:
    view = opened(connected(patches=[[100, 150, 100, 100]]))
    beside = view.locator(".oc-side")
    before = beside.screenshot()
    view.evaluate("document.querySelector('.oc-stage > .oc-lines').style.display = 'none'")
    assert beside.screenshot() == before


def test_what_waits_for_a_place_to_copy_is_seen_and_ends_with_a_sweep(opened: Open) -> None:
    view = opened(connected(patches=[[100, 100, 40, 40]]))
    fill = view.get_by_label("Fill")
    fill.select_option("copy")
    frame(view)
    assert fill.input_value() == "copy"
    assert view.locator(".oc-stage.is-picking").count() == 1
    view.get_by_role("button", name="Sweep").click()
    frame(view)
    assert fill.input_value() == "grey"
    assert view.locator(".oc-stage.is-picking").count() == 0


def test_without_patch_there_is_no_grad_cam_to_ask_for(opened: Open) -> None:
    view = opened(connected())
    box = view.get_by_label("Show Grad-CAM of the edited picture")
    assert box.is_disabled()
    drag(view, (100, 100))
    frame(view)
    assert box.is_enabled()


def test_the_sweep_has_three_views(opened: Open) -> None:
    view = opened(with_sweep())
    layer = view.locator(".oc-map-layer")
    drop = rgba(layer)
    assert tuple(drop[199, 199, :3]) == (103, 0, 31), "the largest drop has the last red"
    assert drop[10, 100, 2] > drop[10, 100, 0], "the score rises: blue"
    assert drop[199, 100, 3] == 0, "unknown"
    assert view.locator(".oc-ends span").all_inner_texts() == ["−50.0 points", "0", "+50.0 points"]
    view.get_by_role("radio", name="Class").click()
    frame(view)
    classes = rgba(layer)
    assert tuple(classes[199, 199, :3]) == tuple(classes[10, 100, :3]) != tuple(classes[10, 10, :3])
    rows = [text.split("\n") for text in view.locator(".oc-counts li").all_inner_texts()]
    assert rows == [["tiger cat (as without patch)", "3"], ["Egyptian cat", "2"]]
    view.get_by_role("radio", name="Counts").click()
    frame(view)
    widths = view.locator(".oc-counts i").evaluate_all("all => all.map((e) => parseFloat(e.style.width))")
    assert widths == pytest.approx([100, 200 / 3], abs=0.01)
    assert view.evaluate("saved.at(-1).view") == "counts"


def test_the_place_under_the_pointer_is_shown_occluded_with_its_scores(opened: Open) -> None:
    view = opened(with_sweep(patches=[[0, 0, 10, 10]], fill="black"))
    view.mouse.move(*at(view, 10, 100, ".oc-map"))
    frame(view)
    expected = PICTURE.copy()
    expected[0:100, 60:140] = 0
    assert (photo(view) == expected).all()
    assert bars(view) == ["tiger cat 62.5 %", "Egyptian cat 25.0 %"]
    assert view.locator(".oc-tip").inner_text() == "tiger cat 50.0 % → 62.5 % · now: Egyptian cat"
    assert (
        view.locator(".oc-reading").inner_text()
        == "y 0, x 60: tiger cat 50.0 % → 62.5 % (drop −12.5 points); Egyptian cat"
    )
    view.mouse.move(*at(view, 199, 100, ".oc-map"))
    frame(view)
    assert "drop unknown, estimated" in view.locator(".oc-reading").inner_text()
    view.mouse.move(0, 0)
    frame(view)
    assert (photo(view)[0:10, 0:10] == 0).all()
    assert (photo(view)[20:, 20:] == PICTURE[20:, 20:]).all()
    assert asked(view) == [], "looking asks nothing"
    view.get_by_role("radio", name="Drop").focus()
    view.keyboard.press("Shift+Tab")
    view.keyboard.press("End")
    frame(view)
    assert "x 120:" in view.locator(".oc-reading").inner_text()
    view.keyboard.press("Home")
    view.keyboard.press("ArrowDown")
    frame(view)
    assert view.locator(".oc-reading").inner_text().startswith("y 100, x 0: tiger cat 50.0 % → 50.0 % (drop 0 points)")


def test_another_picture_takes_everything_away(opened: Open) -> None:
    widget = with_sweep()
    view = opened(widget)
    drag(view, (60, 60))
    answer(view, widget)
    widget.set_picture(np.zeros((100, 150, 3), np.uint8))
    view.evaluate("model.set('patches', []); model.set('sweep', 'none')")
    view.evaluate("deliver", [{"op": "data", "kind": "scores", "id": 10**9, "arrays": []}, []])
    view.evaluate("deliver", [{"op": "data", "kind": "sweep", "id": 10**9, "arrays": []}, []])
    deliver(view, widget, "picture")
    assert photo(view).shape == (100, 150, 3)
    assert not view.locator(".oc-bars").is_visible()
    assert not view.locator(".oc-found").is_visible()
    assert view.get_by_role("button", name="Undo").is_disabled()
    before = len(asked(view))
    drag(view, (60, 60))
    assert len(asked(view)) == before + 1, "nothing waits for an answer about the picture before"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [340, 500, 660, 1000])
def test_it_fits_and_can_be_read(opened: Open, width: int, dark: bool) -> None:
    long = "a_class_whose_name_is_much_longer_than_any_bar, or so it seems " * 2
    widget = with_sweep(patches=[[0, 0, 40, 40]], target_name=long, notes=["A note that is one sentence long. " * 3])
    widget.show_scores(BEFORE, AFTER, [long, *LABELS[1:]], 0)
    widget.show_progress(0.4, "40 % · 3 s left")
    widget.sweep = "running"
    widget.view = "class"
    view = opened(widget, width, dark=dark)
    assert too_wide(view.locator("#root")) == []
    assert view.evaluate("document.getElementById('root').scrollWidth") == width
    assert [text for text in texts(view.locator("#root")) if text["cut"]] == []
    assert min(text["size"] for text in texts(view.locator("#root"))) >= 11
    assert axe(view, "#root") == []


def test_save_writes_the_edited_picture_and_the_map(opened: Open, tmp_path: Path) -> None:
    view = opened(with_sweep(patches=[[50, 50, 100, 100]]))
    title = 26  # px of its one line
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "hidden-tiger-cat.png"
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)[::2, ::2]  # it is twice as large
    np.testing.assert_array_equal(saved[24 + title + 240, 24 + 240], [128] * 3)
    bar = saved[24 + title + 480 + 16 + 8]
    np.testing.assert_allclose([bar[530], bar[24 + 480 + 24 + 479]], [[5, 48, 97], [103, 0, 31]], atol=4)


def test_a_saved_picture_names_photograph_and_network(opened: Open, tmp_path: Path) -> None:
    widget = with_sweep(patches=[[50, 50, 100, 100]], photograph="chelsea.png", network="lite0", with_heat=True)
    widget.show_heat([[0.75, 0.75], [-1.0, -1.0]], layer="blocks.6", unit="weighted activation")
    view = opened(widget)
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    written = [text for text in view.evaluate("written") if text]
    assert written[1:3] == ["0", "0.750"], "under the title"
    assert "The colour bar under it: weighted activation." in " ".join(written)
    assert any(text.startswith("Over the picture: its Grad-CAM of blocks.6 ") for text in view.evaluate("written"))
    assert download.value.suggested_filename == "hidden-tiger-cat-chelsea.png-lite0.png"


def test_undo_leaves_no_listener_and_no_element(opened: Open) -> None:
    view = opened(with_sweep())
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel of the model stays, for other views"
    assert view.evaluate("document.getElementById('root').children.length") == 0
