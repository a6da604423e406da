import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedLimit, stripOf } from "../../../cnnwidgets/widgets/heatmap_overlay/strip";

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
  assert.deepEqual([b!.size, [...b!.values]], [[2, 2], [3, 4, 5, 6]]);
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
