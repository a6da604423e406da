import assert from "node:assert/strict";
import { test } from "node:test";
import { barLabels, percentileOf, scaleOf } from "../../../cnnwidgets/widgets/_maps/scale";
import { clipSentence } from "../../../cnnwidgets/widgets/heatmap_overlay/sentences";

const hundred = Float32Array.from({ length: 101 }, (_, i) => (i % 2 ? -i : i));

test("percentiles of the magnitudes, linear between two", () => {
  assert.equal(percentileOf(hundred, 99), 99);
  assert.equal(percentileOf(hundred, 99.5), 99.5);
  assert.equal(percentileOf(Float32Array.of(3, -1), 50), 2);
  assert.equal(percentileOf(Float32Array.of(3, Number.NaN, Number.POSITIVE_INFINITY, -1), 100), 3);
  assert.ok(Number.isNaN(percentileOf(Float32Array.of(Number.NaN), 50)));
});

test("clipping moves the end of the scale, and says that it did", () => {
  const scale = scaleOf(hundred, 100, 2);
  assert.deepEqual(scale, { limit: 98, clip: 2, sparse: false });
  assert.deepEqual(barLabels(98, "positive", true), ["0", "", "≥ 98.00"]);
  assert.deepEqual(barLabels(98, "negative", true), ["0", "", "≤ −98.00"]);
  assert.deepEqual(barLabels(98, "signed", true), ["≤ −98.00", "0", "≥ +98.00"]);
  const text = "The 2 % largest values are drawn as the largest colour, 98.00; the largest is 100.0.";
  assert.deepEqual(clipSentence(scale, 2, 100), { level: "info", text });
});

test("no clip, nothing said", () => {
  const scale = scaleOf(hundred, 100, 0);
  assert.deepEqual(scale, { limit: 100, clip: 0, sparse: false });
  assert.equal(clipSentence(scale, 0, 100), null);
});

test("a map of few places is not made to consist of them", () => {
  const few = new Float32Array(200);
  few[7] = 5;
  const scale = scaleOf(few, 5, 1);
  assert.deepEqual(scale, { limit: 5, clip: 0, sparse: true });
  assert.equal(clipSentence(scale, 1, 5)?.text, "Not clipped: fewer than 1 % of the places differ from 0.");
});

test("a constant map has nothing past its end", () => {
  assert.deepEqual(scaleOf(new Float32Array(50).fill(3), 3, 1), { limit: 3, clip: 0, sparse: false });
});
