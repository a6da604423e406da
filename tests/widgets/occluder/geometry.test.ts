import assert from "node:assert/strict";
import { test } from "node:test";
import {
  centred,
  freePlace,
  hit,
  movedBy,
  nearestPlace,
  nextSide,
  resized,
  starts,
  within,
} from "../../../cnnwidgets/widgets/occluder/geometry";
import type { Patch } from "../../../cnnwidgets/widgets/occluder/state";

const at = (top: number, left: number, height = 4, width = 6): Patch => ({ top, left, height, width, fill: "grey" });
const place = ({ top, left }: Patch) => [top, left];

test("a patch may reach over the edge, with its middle inside", () => {
  assert.deepEqual(place(within(at(-50, -50), [20, 30])), [-2, -3]);
  assert.deepEqual(place(within(at(50, 50), [20, 30])), [17, 26]);
  assert.deepEqual(place(within(at(3.4, 4.6), [20, 30])), [3, 5]);
  assert.deepEqual(place(within(at(9, 9, 1, 1), [1, 1])), [0, 0]);
});

test("the middle goes where the pointer is", () => {
  assert.deepEqual(place(centred(at(0, 0), 10, 15, [20, 30])), [8, 12]);
});

test("the topmost patch is hit, its far edges excluded", () => {
  const patches = [at(0, 0), at(2, 2)];
  assert.equal(hit(patches, 3, 3), 1);
  assert.equal(hit(patches, 1, 1), 0);
  assert.equal(hit(patches, 5.9, 7.9), 1);
  assert.equal(hit(patches, 6, 3), null);
  assert.equal(hit([], 0, 0), null);
});

test("a size grows by an eighth or at least a pixel, and has ends", () => {
  assert.equal(nextSide(1, 1, 99), 2);
  assert.equal(nextSide(2, -1, 99), 1);
  assert.equal(nextSide(1, -3, 99), 1);
  assert.equal(nextSide(50, 1, 99), 56);
  assert.equal(nextSide(90, 5, 99), 99);
});

test("growing keeps the middle and the proportions", () => {
  const large = resized(at(8, 12, 4, 6), 12, [40, 40]);
  assert.deepEqual([large.top, large.left, large.height, large.width], [6, 9, 8, 12]);
});

test("keys move by a pixel, or by the patch; Home and PageDown go to the edges", () => {
  const size = [20, 30] as const;
  const from = at(8, 12);
  assert.deepEqual(place(movedBy("ArrowUp", from, false, size)!), [7, 12]);
  assert.deepEqual(place(movedBy("ArrowRight", from, true, size)!), [8, 18]);
  assert.deepEqual(place(movedBy("Home", from, false, size)!), [8, 0]);
  assert.deepEqual(place(movedBy("End", from, false, size)!), [8, 24]);
  assert.deepEqual(place(movedBy("PageDown", from, false, size)!), [16, 12]);
  assert.equal(movedBy("x", from, false, size), null);
});

test("another patch does not lie exactly on one that is there", () => {
  const size = [12, 12] as const;
  const patches: Patch[] = [];
  for (let i = 0; i < 6; i += 1) patches.push(freePlace(patches, at(0, 0, 4, 4), size));
  assert.deepEqual(place(patches[0]!), [4, 4]);
  assert.equal(new Set(patches.map((patch) => String(place(patch)))).size, 6);
});

test("places are as explainers/_patches.py has them", () => {
  assert.deepEqual(starts(10, 4, 4), [0, 4, 6]);
  assert.deepEqual(starts(8, 4, 2), [0, 2, 4]);
  assert.deepEqual(starts(4, 4, 9), [0]);
  assert.deepEqual(starts(3, 4, 1), []);
});

test("each pixel belongs to the place whose middle is nearest", () => {
  // middles at 2, 6 and 8
  assert.deepEqual([...nearestPlace([0, 4, 6], 4, 10)], [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
});
