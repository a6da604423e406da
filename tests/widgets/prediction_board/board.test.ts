import assert from "node:assert/strict";
import { test } from "node:test";
import { curveOf, twoDigits } from "../../../cnnwidgets/widgets/prediction_board/widget";

test("a layer without a number leaves a gap, and the others keep theirs", () => {
  assert.deepEqual(curveOf([0, null, 0.5]), [
    [1, 3],
    [0, 0.5],
  ]);
  assert.deepEqual(curveOf([]), [[], []]);
});

test("numbers have two digits, what is none a dash", () => {
  assert.equal(twoDigits(0.126), "0.13");
  assert.equal(twoDigits(null), "–");
});
