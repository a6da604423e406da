import assert from "node:assert/strict";
import { test } from "node:test";
import { pixelAt } from "../../../cnnwidgets/widgets/_maps/resample";
import { boxBetween, markAt, outline, placed } from "../../../cnnwidgets/widgets/heatmap_overlay/boxes";

const place = { left: 10, top: 20, width: 200, height: 100 };

test("a point of the screen falls on the pixel drawn there, and beside the picture on the nearest", () => {
  assert.deepEqual(pixelAt(10, 20, place, [10, 20]), [0, 0]);
  assert.deepEqual(pixelAt(59.9, 49.9, place, [10, 20]), [2, 4]);
  assert.deepEqual(pixelAt(60, 50, place, [10, 20]), [3, 5]);
  assert.deepEqual(pixelAt(-5, 500, place, [10, 20]), [9, 0]);
});

test("a box holds both pixels, whichever was first", () => {
  assert.deepEqual(boxBetween([2, 7], [5, 3]), [2, 3, 4, 5]);
  assert.deepEqual(boxBetween([5, 3], [2, 7]), [2, 3, 4, 5]);
  assert.deepEqual(boxBetween([4, 4], [4, 4]), [4, 4, 1, 1]);
});

test("of several marks under a pixel the smallest is picked", () => {
  const marks = [
    { box: [0, 0, 10, 10], label: "big", index: 0 },
    { box: [2, 2, 3, 3], label: "small", index: 1 },
  ] as const;
  assert.equal(markAt(marks, [3, 3])?.index, 1);
  assert.equal(markAt(marks, [5, 3])?.index, 0);
  assert.equal(markAt(marks, [10, 3]), null);
  assert.equal(markAt([], [0, 0]), null);
});

test("a box lies in percent of the picture, cut off at its edges", () => {
  assert.deepEqual(placed([5, 5, 10, 5], [20, 10]), { top: "25%", left: "50%", height: "50%", width: "50%" });
  assert.deepEqual(placed([-2, 8, 4, 10], [20, 10]), { top: "0%", left: "80%", height: "10%", width: "20%" });
});

test("the outline are the pixels inside that touch the outside", () => {
  const inside = Uint8Array.from([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const line = outline(inside, [5, 5]);
  assert.deepEqual([...line.slice(0, 15)], [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0]);
  const full = outline(new Uint8Array(25).fill(1), [5, 5]);
  assert.deepEqual([full[12], full[6], full[2]], [0, 0, 1]);
});
