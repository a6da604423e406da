import assert from "node:assert/strict";
import { test } from "node:test";
import { greyMeans, sharedLimit, stripOf, tileSize } from "../../../cnnwidgets/widgets/heatmap_overlay/layers";

const push = {
  kind: "strip",
  id: 1,
  content: { names: ["a", "b"], caption: "{layer} → cat", unit: "u", method: "grad_cam" },
  arrays: {
    values: { data: Float32Array.of(1, -8, 3, 4, 5, 6), shape: [6] },
    sizes: { data: Int32Array.of(1, 2, 2, 2), shape: [2, 2] },
  },
};

test("each map comes out with its size", () => {
  const strip = stripOf(push)!;
  assert.deepEqual([...strip.maps.keys()], ["a", "b"]);
  const [a, b] = [...strip.maps.values()];
  assert.deepEqual([a!.size, [...a!.values], a!.layer], [[1, 2], [1, -8], "a"]);
  assert.deepEqual(
    [b!.size, [...b!.values]],
    [
      [2, 2],
      [3, 4, 5, 6],
    ],
  );
  assert.equal(strip.caption, "{layer} → cat");
});

test("a push without names is no strip", () => {
  assert.equal(stripOf({ ...push, content: { names: [] } }), null);
});

test("one scale for all: the largest of what the sign shows", () => {
  const strip = stripOf(push)!;
  assert.equal(sharedLimit(strip, { sign: "positive", clip: 0 }), 6);
  assert.equal(sharedLimit(strip, { sign: "signed", clip: 0 }), 8);
  assert.equal(sharedLimit(strip, { sign: "negative", clip: 0 }), 8);
});

test("what a grey tile means depends on the sign", () => {
  assert.equal(greyMeans(2, "positive"), "2 grey: nothing in the map is positive");
  assert.equal(greyMeans(1, "negative"), "1 grey: nothing in the map is negative");
  assert.equal(greyMeans(1, "signed"), "1 grey: the map is 0 everywhere");
  assert.equal(greyMeans(0, "positive"), "");
});

test("a tile has the proportion of its map, and is not squeezed into a square", () => {
  assert.deepEqual(tileSize([7, 7], 44), [44, 44]);
  assert.deepEqual(tileSize([2, 8], 44), [11, 44]);
  assert.deepEqual(tileSize([14, 7], 44), [44, 22]);
  assert.deepEqual(tileSize([1, 66], 44), [11, 44]);
});
