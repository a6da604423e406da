import assert from "node:assert/strict";
import { test } from "node:test";
import { Editor } from "../../../cnnwidgets/widgets/occluder/editor";
import type { Fill, Patch } from "../../../cnnwidgets/widgets/occluder/state";

const box = ({ top, left, height, width }: Patch) => [top, left, height, width];

function made(patches: Patch[] = [], fill: Fill = "grey") {
  let time = 0;
  const editor = new Editor(
    patches,
    null,
    () => [100, 120],
    () => ({ side: 10, fill, color: "#00ff00" }),
    () => {},
    () => time,
  );
  return { editor, wait: (ms: number) => (time += ms) };
}

test("a press makes the first patch, a drag moves it by the place where it is held, and is one step to undo", () => {
  const { editor } = made();
  editor.press(50, 60);
  editor.release();
  editor.press(52, 63); // held away from its middle
  editor.drag(30, 30);
  editor.drag(32, 33);
  editor.release();
  assert.deepEqual(editor.patches.map(box), [[25, 25, 10, 10]]);
  editor.undo();
  assert.deepEqual(editor.patches.map(box), [[45, 55, 10, 10]]);
  editor.undo();
  assert.deepEqual(editor.patches, []);
  assert.equal(editor.undo(), false);
  editor.redo();
  editor.redo();
  assert.deepEqual(editor.patches.map(box), [[25, 25, 10, 10]]);
});

test("a press beside the patch brings it there; with several, a press on one selects it", () => {
  const { editor } = made();
  editor.press(50, 60);
  editor.release();
  editor.press(10, 20);
  editor.release();
  assert.deepEqual(editor.patches.map(box), [[5, 15, 10, 10]]);
  editor.add();
  assert.equal(editor.selected, 1);
  editor.press(9, 19);
  editor.release();
  assert.equal(editor.selected, 0);
  assert.deepEqual(editor.patches.map(box), [
    [5, 15, 10, 10],
    [45, 55, 10, 10],
  ]);
});

test("keys move, grow, select, remove, undo", () => {
  const { editor, wait } = made();
  editor.key("Enter");
  assert.deepEqual(box(editor.current!), [45, 55, 10, 10]);
  editor.key("ArrowRight");
  editor.key("ArrowDown", { shift: true });
  assert.deepEqual(box(editor.current!), [55, 56, 10, 10]);
  wait(5000);
  editor.key("+");
  assert.deepEqual(box(editor.current!), [55, 56, 11, 11]);
  editor.key("z", { control: true });
  assert.deepEqual(box(editor.current!), [55, 56, 10, 10]);
  editor.key("z", { control: true });
  assert.deepEqual(box(editor.current!), [45, 55, 10, 10], "keys in quick succession are one step");
  editor.key("z", { control: true, shift: true });
  assert.deepEqual(box(editor.current!), [55, 56, 10, 10]);
  editor.add();
  editor.key("n");
  assert.equal(editor.selected, 0);
  editor.key("Delete");
  assert.equal(editor.patches.length, 1);
  assert.equal(editor.key("q"), false);
});

test("the fill of the selected patch changes; a copy waits for its place", () => {
  const { editor } = made();
  editor.add();
  editor.fill("color", "#123456");
  assert.deepEqual([editor.current!.fill, editor.current!.color], ["color", "#123456"]);
  editor.fill("copy", "");
  assert.equal(editor.picking, true);
  assert.equal(editor.current!.fill, "color");
  editor.press(2, 118); // near the corner: the copied window stays inside
  assert.deepEqual([editor.picking, editor.current!.fill, editor.current!.source], [false, "copy", [0, 110]]);
  editor.fill("blur", "");
  assert.deepEqual(Object.keys(editor.current!), ["top", "left", "height", "width", "fill"]);
  editor.pick();
  editor.key("Escape");
  assert.equal(editor.picking, false);
});

test("what else is done ends the wait for a place to copy", () => {
  for (const does of ["undo", "redo", "clear", "remove", "stopPicking"] as const) {
    const { editor } = made();
    editor.add();
    editor.pick();
    assert.equal(editor.picking, true);
    editor[does]();
    assert.equal(editor.picking, false, does);
  }
});

test("clearing can be undone; patches from outside too", () => {
  const { editor } = made();
  editor.add();
  editor.add();
  editor.clear();
  assert.deepEqual([editor.patches.length, editor.selected], [0, null]);
  editor.undo();
  assert.equal(editor.patches.length, 2);
  editor.adopt([{ top: 1, left: 2, height: 3, width: 4, fill: "grey" }]);
  assert.equal(editor.selected, 0);
  editor.undo();
  assert.equal(editor.patches.length, 2);
});
