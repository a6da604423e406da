import assert from "node:assert/strict";
import { test } from "node:test";
import { DIVERGING, isColormap, SEQUENTIAL, table } from "../../../cnnwidgets/widgets/_maps/colormaps";

// matplotlib 3.11: round(255 * colormaps[name](index)[:3])
const INFERNO = { 0: [0, 0, 4], 64: [87, 16, 110], 128: [188, 55, 84], 255: [252, 255, 164] };
const VIRIDIS = { 0: [68, 1, 84], 128: [33, 145, 140], 255: [253, 231, 37] };

for (const [name, expected] of [
  ["inferno", INFERNO],
  ["viridis", VIRIDIS],
] as const) {
  test(`${name} is matplotlib's to within 2 of 255`, () => {
    const colours = table(name);
    for (const [index, rgb] of Object.entries(expected)) {
      rgb.forEach((value, c) =>
        assert.ok(Math.abs(colours[Number(index) * 3 + c]! - value) <= 2, `${name} ${index} ${c}`),
      );
    }
  });
}

test("sequential maps grow in lightness; diverging ones are lightest in the middle", () => {
  const light = (colours: Uint8Array, i: number) =>
    0.2126 * colours[i * 3]! + 0.7152 * colours[i * 3 + 1]! + 0.0722 * colours[i * 3 + 2]!;
  for (const [name] of SEQUENTIAL) {
    const colours = table(name);
    for (let i = 8; i < 256; i += 8) assert.ok(light(colours, i) >= light(colours, i - 8) - 0.5, `${name} at ${i}`);
  }
  for (const [name] of DIVERGING) {
    const colours = table(name);
    assert.ok(light(colours, 128) > light(colours, 0) + 80 && light(colours, 128) > light(colours, 255) + 80, name);
  }
});

test("only known names are colour maps", () => {
  assert.ok(isColormap("magma"));
  assert.ok(!isColormap("jet") && !isColormap("toString"));
});
