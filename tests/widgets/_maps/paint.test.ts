import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "../../../cnnwidgets/widgets/_maps/colormaps";
import { colourLevels, hatch, opaque, palette } from "../../../cnnwidgets/widgets/_maps/paint";

const gray = table("gray");
const rgba = (pixels: Uint8ClampedArray, at: number) => [...pixels.subarray(at * 4, at * 4 + 4)];

test("levels run from the first colour to the last", () => {
  const pixels = colourLevels(new Uint8Array([0, 127, 254]), palette(gray));
  assert.deepEqual(rgba(pixels, 0), [0, 0, 0, 255]);
  assert.deepEqual(rgba(pixels, 1), [128, 128, 128, 255]);
  assert.deepEqual(rgba(pixels, 2), [255, 255, 255, 255]);
  const last = colourLevels(new Uint8Array([254]), palette(table("inferno")));
  assert.deepEqual(rgba(last, 0), [252, 255, 164, 255]); // matplotlib.colormaps["inferno"](1.0)
});

test("a map that covers part of the scale gets part of the colours", () => {
  const pixels = colourLevels(new Uint8Array([0, 254]), palette(gray, 0.2, 0.6));
  assert.deepEqual([rgba(pixels, 0)[0], rgba(pixels, 1)[0]], [51, 153]);
  const outside = colourLevels(new Uint8Array([0, 254]), palette(gray, -1, 2));
  assert.deepEqual([rgba(outside, 0)[0], rgba(outside, 1)[0]], [0, 255]);
});

test("what is not finite gets no colour of the map", () => {
  assert.deepEqual(rgba(colourLevels(new Uint8Array([255]), palette(gray)), 0), [255, 0, 255, 255]);
  assert.deepEqual(rgba(colourLevels(new Uint8Array([255]), palette(gray, 0, 1, [0, 0, 0, 0])), 0), [0, 0, 0, 0]);
});

test("the hatch darkens every second diagonal of what is not finite, and nothing else", () => {
  const levels = new Uint8Array([255, 255, 255, 255, 255, 100, 255, 255]); // 2 rows of 4
  const pixels = colourLevels(levels, palette(gray));
  hatch(levels, 4, pixels);
  const dark = [...levels].map((_, at) => rgba(pixels, at)[0] === 63);
  assert.deepEqual(dark, [true, true, false, false, true, false, false, true]);
  assert.deepEqual(rgba(pixels, 5), [100, 100, 100, 255]);
});

test("pixels are written into the array given", () => {
  const into = new Uint8ClampedArray(8);
  assert.equal(colourLevels(new Uint8Array([0, 254]), palette(gray), into), into);
  assert.deepEqual([...into], [0, 0, 0, 255, 255, 255, 255, 255]);
});

test("RGB becomes RGBA", () => {
  assert.deepEqual([...opaque(new Uint8Array([1, 2, 3, 4, 5, 6]))], [1, 2, 3, 255, 4, 5, 6, 255]);
});
