import assert from "node:assert/strict";
import { test } from "node:test";
import type { Photo } from "../../../cnnwidgets/widgets/_maps/photo";
import { pixelsOf } from "../../../cnnwidgets/widgets/occluder/fills";
import type { Fill, Patch } from "../../../cnnwidgets/widgets/occluder/state";

const [ROWS, COLUMNS] = [7, 9];
const photo: Photo = {
  id: 1,
  size: [ROWS, COLUMNS],
  pixels: Uint8Array.from({ length: ROWS * COLUMNS * 3 }, (_, i) => (i * 37 + (i % 5) * 11) % 256),
};
const patch = (fill: Fill, more: Partial<Patch> = {}): Patch => ({
  top: 1,
  left: 2,
  height: 2,
  width: 3,
  fill,
  ...more,
});
const rgb = (pixels: Uint8ClampedArray, i: number) => [...pixels.slice(4 * i, 4 * i + 3)];
const seen = (row: number, column: number) => [
  ...photo.pixels.slice((row * COLUMNS + column) * 3, (row * COLUMNS + column) * 3 + 3),
];

test("plain colours", () => {
  assert.deepEqual(rgb(pixelsOf(photo, patch("grey")), 5), [128, 128, 128]);
  assert.deepEqual(rgb(pixelsOf(photo, patch("black")), 0), [0, 0, 0]);
  assert.deepEqual(rgb(pixelsOf(photo, patch("color", { color: "#0180ff" })), 3), [1, 128, 255]);
  const sums = [0, 0, 0];
  photo.pixels.forEach((value, i) => (sums[i % 3]! += value));
  assert.deepEqual(
    rgb(pixelsOf(photo, patch("mean")), 0),
    sums.map((sum) => Math.round(sum / (ROWS * COLUMNS))),
  );
});

test("a copied place is moved inside as a whole", () => {
  assert.deepEqual(rgb(pixelsOf(photo, patch("copy", { source: [3, 4] })), 4), seen(4, 5));
  assert.deepEqual(rgb(pixelsOf(photo, patch("copy", { source: [6, 8] })), 0), seen(5, 6));
});

/** Every weight by itself. */
function slowBlur(top: number, left: number, sigma: number, channel: number): number {
  const radius = Math.ceil(3 * sigma);
  const clamp = (at: number, side: number) => Math.min(Math.max(at, 0), side - 1);
  let [sum, total] = [0, 0];
  for (let i = -radius; i <= radius; i += 1) {
    for (let j = -radius; j <= radius; j += 1) {
      const weight = Math.exp(-(i * i + j * j) / (2 * sigma * sigma));
      sum += weight * seen(clamp(top + i, ROWS), clamp(left + j, COLUMNS))[channel]!;
      total += weight;
    }
  }
  return sum / total;
}

for (const [top, left] of [
  [1, 2],
  [5, 7],
] as const) {
  test(`blur at ${top}, ${left}`, () => {
    const pixels = pixelsOf(photo, patch("blur", { top, left }));
    for (let i = 0; i < 2 && top + i < ROWS; i += 1) {
      for (let j = 0; j < 3 && left + j < COLUMNS; j += 1) {
        for (let c = 0; c < 3; c += 1) {
          const expected = slowBlur(top + i, left + j, 1.5, c);
          assert.ok(Math.abs(pixels[(i * 3 + j) * 4 + c]! - expected) <= 0.51, `${i} ${j} ${c}`);
        }
      }
    }
  });
}
