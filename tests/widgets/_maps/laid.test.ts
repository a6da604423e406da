import assert from "node:assert/strict";
import { test } from "node:test";
import { type Heat, heatOf, linesAt, viewOf } from "../../../cnnwidgets/widgets/_maps/heat";
import { colourise } from "../../../cnnwidgets/widgets/_maps/paint";
import {
  across,
  cellIn,
  type Extent,
  extentOf,
  OUTSIDE,
  resample,
  valueIn,
  WHOLE,
} from "../../../cnnwidgets/widgets/_maps/resample";
import { rectOf } from "../../../cnnwidgets/widgets/feature_maps/large";
import { stripOf } from "../../../cnnwidgets/widgets/heatmap_overlay/layers";

/** 16 x 16 cells of the pixels 8 to 24 of 32; cell (12, 5) is bright: pixel (20, 13). */
const CROP: Extent = [0.25, 0.25, 0.75, 0.75];
const values = new Float32Array(256);
values[12 * 16 + 5] = 1;

test("the bright pixel of a crop is painted where it is, nothing outside", () => {
  for (const smooth of [true, false]) {
    const out = resample(values, [16, 16], [32, 32], smooth, CROP);
    assert.deepEqual(
      [...out.entries()].filter(([, value]) => value === 1).map(([at]) => at),
      [20 * 32 + 13],
    );
    assert.equal(out.filter((value) => value === OUTSIDE).length, 1024 - 256);
    assert.equal(out[7 * 32 + 20], OUTSIDE);
    assert.equal(out[8 * 32 + 20], 0);
  }
});

test("padding around the picture is left out", () => {
  // Two cells of a row of four pixels: the first lies in padding before them.
  const out = resample(Float32Array.of(4, 6), [1, 2], [1, 4], true, [0, -1, 1, 1]);
  assert.deepEqual([...out], [5.25, 5.75, 6, 6]);
});

test("a map of the whole picture is as ever", () => {
  const map = Float32Array.of(0, 3, -1, 4, 8, 2);
  assert.deepEqual(resample(map, [2, 3], [5, 7], true, WHOLE), resample(map, [2, 3], [5, 7], true));
});

test("one value at a time is the same", () => {
  const out = resample(values, [16, 16], [20, 24], true, CROP);
  out.forEach((value, at) =>
    assert.equal(Math.fround(valueIn(values, [16, 16], [20, 24], [Math.floor(at / 24), at % 24], true, CROP)), value),
  );
});

test("a cell, or none", () => {
  assert.deepEqual(
    [7, 8, 23, 24].map((row) => cellIn(row, 16, 32, 0.25, 0.75)),
    [-1, 0, 15, -1],
  );
});

test("what is outside is not painted, though NaN is hatched", () => {
  const pixels = new Uint32Array(3);
  colourise(
    Float32Array.of(OUTSIDE, 1, Number.NaN),
    3,
    { limit: 1, sign: "positive", name: "inferno", partial: false },
    pixels,
  );
  assert.equal(pixels[0], 0);
  assert.equal(pixels[1]! >>> 24, 255);
});

const heat = (content: Record<string, unknown>): Heat =>
  heatOf({ kind: "map", id: 1, content, arrays: { values: { data: values, shape: [16, 16] } } })!;

test("the tooltip follows", () => {
  const placed = heat({ extent: CROP });
  const at = (row: number, column: number) => linesAt(placed, viewOf(placed, "positive"), [32, 32], row, column, true);
  assert.deepEqual(at(20, 13), ["1.00", "row 20, column 13", "cell 12, 5 of 16 × 16: 1.00"]);
  assert.deepEqual(at(3, 13), ["outside of the map", "row 3, column 13"]);
});

test("an extent that is none is the whole", () => {
  for (const extent of [undefined, null, [0, 1], [0, 0, 0, 1], [0, "x", 1, 1], [0, 0, Number.NaN, 1]]) {
    assert.deepEqual(extentOf({ extent }), WHOLE);
  }
  assert.deepEqual(heat({}).extent, WHOLE);
  assert.deepEqual(across([16, 16], CROP), [32, 32]);
});

test("the strip's maps lie where they lie", () => {
  const arrays = { values: { data: values, shape: [256] }, sizes: { data: Int32Array.of(16, 16), shape: [1, 2] } };
  const content = { names: ["conv"], extents: [CROP], caption: "", unit: "", method: "" };
  assert.deepEqual(stripOf({ kind: "strip", id: 1, content, arrays })?.maps.get("conv")?.extent, CROP);
});

test("the large feature map is drawn where it lies, and alone without a photograph", () => {
  assert.deepEqual(rectOf({ extent: CROP }, {}, 200, 100), [50, 25, 100, 50]);
  assert.deepEqual(rectOf({ extent: CROP }, null, 200, 100), [0, 0, 200, 100]);
});
