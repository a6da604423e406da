"""The built image input in headless Chromium: files, drawing, cropping, sliders, paste, and the camera let go."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from cnnwidgets import ImageInput
from tests.browser.looks import WRITTEN, axe, too_wide, untold
from tests.widgets.plain_page import Open, colours, pages

PICTURE = np.zeros((40, 80, 3), np.uint8)
PICTURE[:, 40:] = [200, 100, 0]
# A camera of one colour, whose tracks say whether they are stopped.
CAMERA = """(allowed) => {
  window.tracks = [];
  navigator.mediaDevices.getUserMedia = async () => {
    if (!allowed) throw new DOMException("no", "NotAllowedError");
    const canvas = document.createElement("canvas");
    canvas.width = 64;
    canvas.height = 48;
    const context = canvas.getContext("2d");
    setInterval(() => { context.fillStyle = "#00ff00"; context.fillRect(0, 0, 64, 48); }, 20);
    const stream = canvas.captureStream(30);
    tracks.push(...stream.getTracks());
    return stream;
  };
}"""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def edits(view: Page) -> list[Any]:
    return list(view.evaluate("model.get('edits')"))


def drag(view: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place to another of the image, in shares (across, down)."""
    box = view.locator(".ii-canvas").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    view.mouse.move(*places[0])
    view.mouse.down()
    view.mouse.move(*places[1], steps=4)
    view.mouse.up()


def test_the_image_is_shown_in_its_proportion(opened: Open) -> None:
    view = opened(ImageInput(PICTURE, name="two halves"), 700)
    assert colours(view, ".ii-canvas")[20] == [[0, 0, 0]] * 40 + [[200, 100, 0]] * 40
    box = view.locator(".ii-canvas").bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(2, rel=0.03)
    assert view.get_by_text("two halves, 40 × 80 pixels").is_visible()
    tall = opened(ImageInput(PICTURE.transpose(1, 0, 2)), 700)
    box = tall.locator(".ii-canvas").bounding_box()
    assert box
    assert box["height"] / box["width"] == pytest.approx(2, rel=0.03)


def test_sliders_turns_undo_and_reset(opened: Open) -> None:
    view = opened(ImageInput(PICTURE), 700)
    assert view.get_by_role("button", name="Undo").is_disabled()
    view.get_by_role("slider", name="Brightness").fill("30")
    view.get_by_role("slider", name="Brightness").fill("50")
    view.get_by_label("Seed").fill("7")
    view.get_by_role("slider", name="Noise").fill("20")
    view.get_by_role("button", name="Turn left").click()
    assert edits(view) == [
        {"op": "brightness", "amount": 0.5},
        {"op": "noise", "amount": 0.2, "seed": 7},
        {"op": "rotate", "degrees": 90},
    ]
    view.get_by_role("button", name="Undo").click()
    assert [edit["op"] for edit in edits(view)] == ["brightness", "noise"]
    view.get_by_label("Seed").fill("8")
    view.keyboard.press("Tab")
    assert edits(view)[-1] == {"op": "noise", "amount": 0.2, "seed": 8}
    view.get_by_role("button", name="Reset").click()
    assert edits(view) == []


def test_crop_by_mouse_and_by_keys(opened: Open) -> None:
    view = opened(ImageInput(PICTURE), 700)
    view.get_by_role("radio", name="Crop").click()
    drag(view, (0.25, 0.1), (0.75, 0.9))
    assert edits(view) == []
    view.get_by_role("button", name="Crop to frame").click()
    np.testing.assert_allclose(edits(view)[0]["box"], [0.1, 0.25, 0.9, 0.75], atol=0.01)
    assert not view.get_by_role("button", name="Crop to frame").is_visible()
    view.get_by_role("radio", name="Crop").click()
    view.get_by_role("application").focus()
    view.keyboard.press("ArrowLeft")
    view.keyboard.press("Shift+ArrowUp")
    view.keyboard.press("Enter")
    np.testing.assert_allclose(edits(view)[1]["box"], [0.1, 0.08, 0.88, 0.88])


def test_drawing_is_seen_at_once_and_sent(opened: Open) -> None:
    view = opened(ImageInput(PICTURE), 700)
    view.get_by_role("radio", name="Draw").click()
    view.get_by_label("Width").fill("10")
    view.get_by_label("Colour of the line").fill("#00ff00")
    drag(view, (0.2, 0.5), (0.8, 0.5))
    assert colours(view, ".ii-canvas")[20][40] == [0, 255, 0]
    (line,) = edits(view)
    assert (line["op"], line["width"], line["color"]) == ("draw", 0.1, "#00ff00")
    np.testing.assert_allclose(line["points"][0], [0.5, 0.2], atol=0.01)
    np.testing.assert_allclose(line["points"][-1], [0.5, 0.8], atol=0.01)
    ImageInput(PICTURE, edits=[line])  # Python takes it


def test_files_are_uploaded_made_smaller_or_refused(opened: Open, tmp_path: Path) -> None:
    view = opened(ImageInput(PICTURE), 700)
    small, empty, large = tmp_path / "small.png", tmp_path / "empty.png", tmp_path / "large.bmp"
    Image.fromarray(PICTURE).save(small)
    empty.write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3)).astype(np.uint8)
    Image.fromarray(noise).save(large)  # 12 MB
    with view.expect_file_chooser() as chooser:
        view.get_by_role("button", name="Upload").click()
    chooser.value.set_files(small)
    view.wait_for_function("sent.at(-1)?.op === 'upload'")
    assert view.evaluate("[sent.at(-1).name, sentBuffers.at(-1)[0].byteLength]") == ["small.png", small.stat().st_size]
    view.locator("input[type=file]").set_input_files(empty)
    expect(view.get_by_role("alert")).to_contain_text("The file is empty")
    view.locator("input[type=file]").set_input_files(large)
    view.wait_for_function("sent.at(-1).name.startsWith('large.bmp, made 2000 × 2000')")
    assert view.evaluate("sentBuffers.at(-1)[0].byteLength") < 9_500_000
    expect(view.get_by_role("alert")).to_have_count(0)


def test_paste_and_drop(opened: Open, tmp_path: Path) -> None:
    view = opened(ImageInput(PICTURE), 700)
    file = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(file)
    make = """([content, event]) => {
      const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
      const init = { bubbles: true, cancelable: true };
      const made = event === "paste" ? new ClipboardEvent("paste", { ...init, clipboardData: data })
        : new DragEvent("drop", { ...init, dataTransfer: data });
      document.querySelector(".ii-stage").dispatchEvent(made);
    }"""
    content = base64.b64encode(file.read_bytes()).decode()
    for event, name in (("paste", "pasted image"), ("drop", "dropped.png")):
        view.evaluate(make, [content, event])
        view.wait_for_function(f"sent.at(-1)?.name === '{name}'")
        assert view.evaluate("sentBuffers.at(-1)[0].byteLength") == file.stat().st_size
    view.evaluate("() => { navigator.clipboard.read = async () => []; }")
    view.get_by_role("button", name="Paste").click()
    expect(view.get_by_role("alert")).to_contain_text("no image in the clipboard")
    view.evaluate("() => { navigator.clipboard.read = async () => { throw new Error('no'); }; }")
    view.get_by_role("button", name="Paste").click()
    expect(view.get_by_role("alert")).to_contain_text("press Ctrl V")


def test_the_camera_is_asked_for_and_let_go(opened: Open) -> None:
    view = opened(ImageInput(PICTURE), 700)
    view.evaluate(CAMERA, False)
    assert not view.get_by_label("What the camera sees").is_visible()
    view.get_by_role("button", name="Camera", exact=True).click()
    expect(view.get_by_role("alert")).to_contain_text("The camera was not allowed")
    view.evaluate(CAMERA, True)
    for way in ("Take picture", "Stop camera"):
        before = view.evaluate("sent.length")
        view.get_by_role("button", name="Camera", exact=True).click()
        view.wait_for_function("document.querySelector('video').videoWidth === 64")
        assert view.evaluate("tracks.every((track) => track.readyState === 'live')")
        view.get_by_role("button", name=way).click()
        view.wait_for_function("tracks.every((track) => track.readyState === 'ended')")
        view.evaluate("tracks = []")
        expect(view.locator(".ii-canvas")).to_be_visible()
        if way == "Take picture":
            view.wait_for_function("sent.at(-1)?.name === 'camera'")
        else:
            assert view.evaluate("sent.length") == before
    view.get_by_role("button", name="Camera", exact=True).click()
    view.wait_for_function("tracks.length === 1")
    view.evaluate("undo()")
    assert view.evaluate("tracks[0].readyState") == "ended", "with its view"


def test_save_has_the_image_after_all_edits_with_its_name(opened: Open, tmp_path: Path) -> None:
    edits = [{"op": "rotate", "degrees": 90}, {"op": "brightness", "amount": 0.2}]
    view = opened(ImageInput(PICTURE, name="two halves", edits=edits), 700)
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "two-halves.png"
    assert " ".join(view.evaluate("written")) == (
        "two halves 80 × 40 pixels (height × width) Edits, first to last: turned by 90°, brightness 20 %."
    )
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB"))
    left, top = 2 * 24, 2 * (24 + 22)  # margin and title, twice as large
    image = saved[top : top + 1024, left : left + 512]
    assert image[20, 256].tolist() == [251, 151, 51]
    assert image[1000, 256].tolist() == [51, 51, 51]
    view = opened(ImageInput(np.zeros((900, 600, 3), np.uint8)), 700)
    view.evaluate(WRITTEN)
    view.evaluate("model.set('edits', [{op: 'brightness', amount: 0.4}])")  # Python has not answered yet
    with view.expect_download():
        view.get_by_role("button", name="Save").click()
    assert "900 × 600 pixels (height × width), drawn from 512 × 341" in " ".join(view.evaluate("written"))
    assert "Edits" not in " ".join(view.evaluate("written"))


@pytest.mark.parametrize("tool", ["Look", "Crop", "Draw"])
def test_it_fits_is_told_and_accessible(opened: Open, tool: str) -> None:
    view = opened(ImageInput(PICTURE), 480 if tool == "Crop" else 800)
    view.get_by_role("radio", name=tool).click()
    root = view.locator("#root")
    assert too_wide(root) == []
    assert untold(root) == []
    assert axe(view, "#root") == []
