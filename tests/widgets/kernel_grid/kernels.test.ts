import assert from "node:assert/strict";
import { test } from "node:test";
import { barTexts, marksOf } from "../../../cnnwidgets/widgets/kernel_grid/cell";
import {
  type Kernels,
  largest,
  ordered,
  tiling,
  weightAt,
  weightPlace,
} from "../../../cnnwidgets/widgets/kernel_grid/kernels";

const SIDES = { inputs: 6, depth: 1, height: 3, width: 3, signal: false, coloured: false };

test("all inputs of a filter lie beside each other, one pixel apart", () => {
  const tiles = tiling(SIDES, null);
  assert.deepEqual([tiles.across, tiles.width, tiles.height, tiles.gap], [2, 7, 11, 1]);
  assert.deepEqual(weightPlace(SIDES, tiles, 0, 0), { input: 0, slice: 0, row: 0, column: 0 });
  assert.deepEqual(weightPlace(SIDES, tiles, 6, 5), { input: 3, slice: 0, row: 1, column: 2 });
  assert.equal(weightPlace(SIDES, tiles, 3, 0), null);
  assert.equal(weightPlace(SIDES, tiles, 0, 3), null);
  assert.equal(weightPlace(SIDES, tiles, 7, 0), null);
});

test("one input, slices of a volume, a signal, 1 × 1, colours", () => {
  assert.deepEqual(tiling(SIDES, 4).inputs, [4]);
  const volume = { ...SIDES, inputs: 1, depth: 2 };
  const slices = tiling(volume, null);
  assert.deepEqual([slices.width, slices.height], [7, 3]);
  assert.equal(weightPlace(volume, slices, 4, 0)?.slice, 1);
  const signal = { ...SIDES, height: 1, width: 5, signal: true };
  assert.deepEqual([tiling(signal, null).width, tiling(signal, null).height], [5, 6]);
  assert.equal(weightPlace(signal, tiling(signal, null), 2, 3)?.input, 3);
  const single = tiling({ ...SIDES, inputs: 16, height: 1, width: 1 }, null);
  assert.deepEqual([single.width, single.height, single.gap], [4, 4, 0]);
  const colours = { ...SIDES, inputs: 3, coloured: true };
  assert.deepEqual(
    [tiling(colours, null).mixed, tiling(colours, null).width, tiling(colours, 1).mixed],
    [true, 3, false],
  );
});

test("order, largest weight and weights", () => {
  assert.deepEqual(ordered({ count: 4, norms: [1, 3, Number.NaN, 3] }, "norm"), [1, 3, 0, 2]);
  assert.deepEqual(ordered({ count: 2, norms: [1, 3] }, "index"), [0, 1]);
  const kernels = {
    values: new Float32Array([1, -2, Number.POSITIVE_INFINITY, 3, -4, 0, 0, 0.5]),
    ...{ count: 2, inputs: 2, depth: 1, height: 1, width: 2 },
  } as unknown as Kernels;
  assert.deepEqual([largest(kernels, null, 0), largest(kernels, null, null), largest(kernels, 1, 1)], [3, 4, 0.5]);
  assert.equal(weightAt(kernels, 1, { input: 1, slice: 0, row: 0, column: 1 }), 0.5);
});

test("what is said of a filter", () => {
  const kernels = { dead: new Set([2]), alike: { "1": [[4, -1] as [number, number]] } };
  assert.deepEqual(marksOf(kernels, 0), []);
  assert.deepEqual(marksOf(kernels, 1), ["nearly a multiple of 4 (cosine −1.00)"]);
  assert.deepEqual(marksOf(kernels, 2), ["dead: its output never changes"]);
  assert.deepEqual(barTexts(2, false), ["−2.00", "0", "+2.00"]);
});
