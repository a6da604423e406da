import assert from "node:assert/strict";
import { test } from "node:test";
import { cellIn, paintSize, resample, valueIn } from "../../../cnnwidgets/widgets/_maps/resample";

const close = (got: ArrayLike<number>, wanted: number[]) => {
  assert.equal(got.length, wanted.length);
  wanted.forEach((value, i) => assert.ok(Math.abs(got[i]! - value) < 1e-5, `at ${i}: ${got[i]}, expected ${value}`));
};

test("a row of two stretched to four: centres at ¼ of a cell, edges clamped", () => {
  // Centres lie at source positions -0.25, 0.25, 0.75, 1.25; the first and last are clamped to 0 and 1.
  close(resample(Float32Array.of(0, 8), [1, 2], [1, 4], true), [0, 2, 6, 8]);
});

test("two by two stretched to four by four is the product of the two directions", () => {
  // f(y, x) = 4y + 8x on the corners is bilinear itself: rows add 0, 1, 3, 4 and columns 0, 2, 6, 8.
  const wanted = [0, 1, 3, 4].flatMap((down) => [0, 2, 6, 8].map((right) => down + right));
  close(resample(Float32Array.of(0, 8, 4, 12), [2, 2], [4, 4], true), wanted);
});

test("odd factors agree with torch.nn.functional.interpolate(align_corners=False)", () => {
  const wanted = [
    0, 0.428_571, 1.714_286, 3, 1.285_714, -0.428_572, -1, 0.4, 0.842_857, 2.171_429, 3.5, 1.7, -0.1, -0.7, 2, 2.5, 4,
    5.5, 3.357_143, 1.214_285, 0.5, 3.6, 4.157_143, 5.828_572, 7.5, 5.014_286, 2.528_571, 1.7, 4, 4.571_429, 6.285_715,
    8, 5.428_571, 2.857_142, 2,
  ];
  close(resample(Float32Array.of(0, 3, -1, 4, 8, 2), [2, 3], [5, 7], true), wanted);
});

test("shrinking agrees with torch too", () => {
  const squares = Float32Array.from({ length: 24 }, (_, i) => i * i);
  close(
    resample(squares, [4, 6], [3, 4], true),
    [6.75, 12.75, 23.25, 38.25, 94.75, 124.75, 159.25, 198.25, 302.75, 356.75, 415.25, 478.25],
  );
});

test("the same size is the same numbers", () => {
  const values = Float32Array.of(1, -2, 3.5, 4, 5, 6);
  assert.deepEqual(resample(values, [2, 3], [2, 3], true), values);
});

test("not smooth: true cells", () => {
  assert.deepEqual([...resample(Float32Array.of(1, 2, 3), [1, 3], [1, 7], false)], [1, 1, 2, 2, 2, 3, 3]);
});

test("a NaN cell makes NaN of itself only, and of none of its neighbours", () => {
  const out = resample(Float32Array.of(5, Number.NaN, 9, 1), [1, 4], [1, 8], true);
  // The last two cells interpolate: centres at 2.25 and 2.75 between 9 and 1.
  assert.deepEqual([...out], [5, 5, Number.NaN, Number.NaN, 9, 7, 3, 1]);
});

test("infinity does not spread either", () => {
  assert.deepEqual(
    [...resample(Float32Array.of(Number.NEGATIVE_INFINITY, 4), [1, 2], [1, 4], true)],
    [Number.NaN, Number.NaN, 4, 4],
  );
});

test("one value alone agrees with the whole", () => {
  const values = Float32Array.of(0, 3, -1, 4, 8, 2);
  const whole = resample(values, [2, 3], [5, 7], true);
  for (let i = 0; i < 35; i += 1) {
    const alone = valueIn(values, [2, 3], [5, 7], [Math.floor(i / 7), i % 7], true);
    assert.ok(Math.abs(alone - whole[i]!) < 1e-6);
  }
});

test("cells share the pixels out evenly", () => {
  assert.deepEqual(
    [0, 31, 32, 223].map((row) => cellIn(row, 7, 224)),
    [0, 0, 1, 6],
  );
});

test("the paint size keeps a photograph's, enlarges a digit, and never skips a value", () => {
  assert.deepEqual(paintSize([224, 224], [7, 7]), [224, 224]);
  assert.deepEqual(paintSize([8, 8], [2, 2]), [256, 256]);
  assert.deepEqual(paintSize([640, 1280], [7, 14]), [320, 640]);
  assert.deepEqual(paintSize([1000, 1000], [1000, 1000]), [1000, 1000]);
  assert.deepEqual(paintSize([1, 2000], [1, 1]), [1, 640]);
});
