import assert from "node:assert/strict";
import { test } from "node:test";
import { caption, placeOf, stepAt } from "../../../cnnwidgets/widgets/training_board/widget";

test("the slider's end follows the training, other positions name a step", () => {
  const steps = [0, 4, 8, 9];
  assert.equal(placeOf(steps, null), 3);
  assert.equal(placeOf(steps, 8), 2);
  assert.equal(placeOf(steps, 6), 1);
  assert.equal(placeOf([], null), 0);
  assert.equal(stepAt(steps, 3), null);
  assert.equal(stepAt(steps, 1), 4);
  assert.equal(stepAt([], 0), null);
});

test("the table says what it leaves out", () => {
  assert.equal(caption({}), "The numbers of each step");
  assert.equal(caption({ every: 3 }), "The numbers of each 3. step, the newest last");
});
