import assert from "node:assert/strict";
import { test } from "node:test";
import { BINS, binEdges, fullHeight, histogram } from "../../../cnnwidgets/widgets/feature_maps/detail";

test("51 bins of five levels; what is not finite is in none", () => {
  const bins = histogram(new Uint8Array([0, 4, 5, 249, 250, 254, 255]));
  assert.equal(bins.length, BINS);
  assert.deepEqual([bins[0], bins[1], bins[49], bins[50]], [2, 1, 1, 2]);
  assert.equal(
    bins.reduce((sum, n) => sum + n, 0),
    6,
  );
});

test("every level falls between the edges of its bin", () => {
  for (let level = 0; level <= 254; level += 1) {
    const bin = histogram(new Uint8Array([level])).indexOf(1);
    const [from, to] = binEdges(bin, -1, 1);
    const value = -1 + (2 * level) / 254;
    assert.ok(from <= value && value <= to, `${level}: ${from} ${value} ${to}`);
  }
  assert.deepEqual([binEdges(0, -1, 1)[0], binEdges(50, -1, 1)[1]], [-1, 1]);
});

test("a bin that towers over the others is cut at twice the second", () => {
  assert.equal(fullHeight([700, 10, 20]), 40);
  assert.equal(fullHeight([80, 10, 20]), 80);
  assert.equal(fullHeight([5, 0, 0]), 5);
});
