import assert from "node:assert/strict";
import { test } from "node:test";
import { strongest } from "../../../cnnwidgets/widgets/_maps/mosaic";
import { alikenessOf, strengthOf } from "../../../cnnwidgets/widgets/filter_panel/content";

test("an image that was made is judged by photographs", () => {
  const alive = { dead: false, peak: 9, largest: 4.5 };
  assert.equal(strengthOf(alive), "Activation 9.00: 2.00 times the largest of a photograph (4.50).");
  assert.match(strengthOf({ ...alive, largest: null }), /no photograph to compare/u);
  // A ratio to a number below zero would say nothing.
  assert.match(strengthOf({ ...alive, largest: -1 }), /none gives more than −1\.00/u);
  assert.equal(strengthOf({ ...alive, peak: null }), "");
  assert.match(strengthOf({ ...alive, dead: true }), /Nothing wakes this filter/u);
});

test("how alike an image and photographs are processed, where it was asked", () => {
  const asked = { dead: false, compared: true, alike: 0.25 };
  assert.match(alikenessOf(asked), /^Alike to photographs: 0\.250 \(1: /u);
  assert.match(alikenessOf({ ...asked, alike: null }), /cannot be told/u);
  assert.equal(alikenessOf({ ...asked, dead: true }), "");
  assert.equal(alikenessOf({ ...asked, compared: false }), "");
});

test("one scale for all patches, from the largest finite activation", () => {
  const map = (...values: number[]) => ({ size: [1, values.length] as const, values: Float32Array.from(values) });
  assert.equal(strongest([map(1, Number.NaN), map(3, Number.POSITIVE_INFINITY)]), 3);
  assert.equal(strongest([map(-1)]), 0);
  assert.equal(strongest([]), 0);
});
