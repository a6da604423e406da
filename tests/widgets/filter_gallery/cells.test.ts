import assert from "node:assert/strict";
import { test } from "node:test";
import { captionOf, type Filter, moveIn, sorted } from "../../../cnnwidgets/widgets/filter_gallery/cells";

const filter = (channel: number, value = Number.NaN, ratio = Number.NaN): Filter => ({
  channel,
  value,
  ratio,
  pictures: [],
});

test("by number, or the largest value first, equals by number, what is not known last", () => {
  const filters = [filter(9), filter(2, 1), filter(5, 4), filter(1, 4), filter(0)];
  const channels = (sort: "index" | "value") => sorted(filters, sort).map(({ channel }) => channel);
  assert.deepEqual(channels("index"), [0, 1, 2, 5, 9]);
  assert.deepEqual(channels("value"), [1, 5, 2, 0, 9]);
});

test("a caption has the numbers that there are", () => {
  assert.equal(captionOf(filter(0)), "");
  assert.equal(captionOf(filter(0, 2)), "2.00");
  assert.equal(captionOf(filter(0, -2, 1.5)), "−2.00 × 1.50");
});

test("arrows stay in the grid", () => {
  // 0 1 2 / 3 4
  assert.equal(moveIn("ArrowRight", 0, 5, 3), 1);
  assert.equal(moveIn("ArrowRight", 4, 5, 3), 4);
  assert.equal(moveIn("ArrowDown", 1, 5, 3), 4);
  assert.equal(moveIn("ArrowDown", 2, 5, 3), 2);
  assert.equal(moveIn("ArrowUp", 3, 5, 3), 0);
  assert.equal(moveIn("End", 1, 5, 3), 4);
  assert.equal(moveIn("a", 1, 5, 3), null);
  assert.equal(moveIn("ArrowDown", 0, 0, 3), null);
});
