import assert from "node:assert/strict";
import { test } from "node:test";
import { cellsOf } from "../../../cnnwidgets/widgets/_maps/mosaic";

test("activations in a row are cut where they were joined", () => {
  const activations = { data: Float32Array.of(1, 2, 3, 4, 5), shape: [5] };
  const cells = { data: Int32Array.of(1, 2, 0, 0, 3, 1), shape: [3, 2] };
  const maps = cellsOf({ activations, cells });
  assert.deepEqual(
    maps.map(({ size, values }) => [...size, ...values]),
    [
      [1, 2, 1, 2],
      [0, 0],
      [3, 1, 3, 4, 5],
    ],
  );
  assert.deepEqual(cellsOf({}), []);
});
