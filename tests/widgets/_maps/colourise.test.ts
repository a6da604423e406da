import assert from "node:assert/strict";
import { test } from "node:test";
import { NOT_FINITE, table } from "../../../cnnwidgets/widgets/_maps/colormaps";
import { colourise } from "../../../cnnwidgets/widgets/_maps/paint";
import type { Sign } from "../../../cnnwidgets/widgets/_maps/scale";

function paint(values: number[], limit: number, sign: Sign = "positive", partial = false, width = values.length) {
  const bytes = new Uint8ClampedArray(values.length * 4);
  const name = sign === "signed" ? "blue-red" : "gray";
  colourise(Float32Array.from(values), width, { limit, sign, name, partial }, new Uint32Array(bytes.buffer));
  return values.map((_, i) => [...bytes.slice(i * 4, i * 4 + 4)]);
}

test("0 has the first colour, the limit the last, and half of it the middle", () => {
  assert.deepEqual(paint([0, 5, 10], 10), [
    [0, 0, 0, 255],
    [128, 128, 128, 255],
    [255, 255, 255, 255],
  ]);
});

test("a rounding error past the limit stays inside the table", () => {
  assert.deepEqual(paint([10.000_001, -0.000_001], 10), [
    [255, 255, 255, 255],
    [0, 0, 0, 255],
  ]);
});

test("signed: the ends of the diverging map, and its middle at 0", () => {
  const colours = table("blue-red");
  const rgba = (i: number) => [...colours.slice(i * 3, i * 3 + 3), 255];
  assert.deepEqual(paint([-2, 0, 2], 2, "signed"), [rgba(0), rgba(128), rgba(255)]);
});

test("without a scale nothing is painted", () => {
  assert.deepEqual(paint([0, 0], 0), [
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ]);
});

test("NaN is striped in a colour of no map, and the data beside it is not", () => {
  const pixels = paint([...new Array(8).fill(Number.NaN), 1], 1);
  const stripes = pixels.slice(0, 8).filter((pixel) => pixel[3] === 255);
  assert.deepEqual(stripes, new Array(4).fill([...NOT_FINITE, 255]));
  assert.deepEqual(pixels[8], [255, 255, 255, 255]);
});

test("what is not known yet is a pale hatch that lets the photograph through", () => {
  const pixels = paint(new Array(8).fill(Number.NaN), 1, "positive", true);
  assert.ok(pixels.every(([r, g, b, alpha]) => r === 255 && g === 255 && b === 255 && alpha! < 255));
  assert.equal(new Set(pixels.map((pixel) => pixel[3])).size, 2);
});
