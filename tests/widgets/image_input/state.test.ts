import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boxOf,
  type Edit,
  editText,
  isLarge,
  lastAmount,
  nudged,
  tuned,
  turnedOn,
} from "../../../cnnwidgets/widgets/image_input/state";

const CROP: Edit = { op: "crop", box: [0, 0, 0.5, 0.5] };

test("a slider that is dragged makes one edit, and none at its zero", () => {
  const first = tuned([CROP], { op: "brightness", amount: 0.1 });
  const second = tuned(first, { op: "brightness", amount: 0.3 });
  assert.deepEqual(second, [CROP, { op: "brightness", amount: 0.3 }]);
  assert.equal(lastAmount(second, "brightness"), 0.3);
  assert.equal(lastAmount(second, "noise"), 0);
  assert.deepEqual(tuned(second, { op: "brightness", amount: 0 }), [CROP]);
  const noisy = tuned(second, { op: "noise", amount: 0.2, seed: 1 });
  assert.deepEqual(tuned(noisy, { op: "brightness", amount: 0.1 }).length, 4);
});

test("quarter turns add up, and four of them are none", () => {
  let edits: Edit[] = [CROP];
  const turns = [90, 180, 270, 360].map(() => {
    edits = turnedOn(edits, 90);
    return lastAmount(edits, "rotate");
  });
  assert.deepEqual(turns, [90, -180, -90, 0]);
  assert.deepEqual(edits, [CROP]);
  assert.equal(lastAmount(turnedOn([], -90), "rotate"), -90);
});

test("each edit is said in a few words", () => {
  const edits: Edit[] = [
    { op: "crop", box: [0, 0, 0.5, 1] },
    { op: "rotate", degrees: -90 },
    { op: "brightness", amount: -0.2 },
    { op: "noise", amount: 0.1, seed: 7 },
    { op: "draw", points: [[0, 0]], width: 0.1, color: "#00ff00" },
  ];
  const texts = ["cropped", "turned by −90°", "brightness −20 %", "noise 10 % (seed 7)", "a line in #00ff00"];
  assert.deepEqual(edits.map(editText), texts);
});

test("a frame stays within the image", () => {
  assert.deepEqual(boxOf([0.9, 1.2], [-0.1, 0.3]), [0, 0.3, 0.9, 1]);
  assert.equal(isLarge([0, 0, 0.01, 1]), false);
  assert.deepEqual(nudged([0, 0.5, 0.5, 1], "ArrowRight", false), [0, 0.5, 0.5, 1]);
  assert.deepEqual(nudged([0, 0.5, 0.5, 1], "ArrowUp", false), [0, 0.5, 0.5, 1]);
  assert.deepEqual(nudged([0.5, 0.5, 0.75, 0.75], "ArrowLeft", false), [0.5, 0.48, 0.75, 0.73]);
  assert.deepEqual(nudged([0, 0, 0.5, 0.5], "ArrowDown", true), [0, 0, 0.52, 0.5]);
  assert.deepEqual(nudged([0, 0, 0.5, 0.02], "ArrowLeft", true), [0, 0, 0.5, 0.02]);
  assert.equal(nudged([0, 0, 1, 1], "a", false), null);
});
