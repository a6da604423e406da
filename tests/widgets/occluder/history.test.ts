import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, change, redo, undo } from "../../../cnnwidgets/widgets/occluder/editor";

test("what was done is undone and done again; a new change forgets what was undone", () => {
  let now = change(change(begin("a"), "b"), "c");
  now = undo(now);
  assert.equal(now.present, "b");
  now = undo(undo(now));
  assert.equal(now.present, "a");
  assert.equal(redo(redo(redo(now))).present, "c");
  now = change(now, "d");
  assert.equal(redo(now).present, "d");
  assert.equal(undo(now).present, "a");
});

test("a gesture is one step, and undoing ends it", () => {
  let now = change(begin(0), 1, "drag 1");
  for (const step of [2, 3, 4]) now = change(now, step, "drag 1");
  now = change(now, 5, "drag 2");
  assert.deepEqual(now.past, [0, 4]);
  now = change(undo(now), 6, "drag 1");
  assert.deepEqual(now.past, [0, 4]);
});
