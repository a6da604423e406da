import assert from "node:assert/strict";
import { test } from "node:test";
import { largestOf, type Sum, sentenceOf } from "../../../cnnwidgets/widgets/cell_sum/content";

const sum: Sum = {
  height: 1,
  width: 1,
  terms: [4, -2].map((added) => ({
    input: 0,
    patch: Float32Array.of(0),
    kernel: Float32Array.of(0),
    products: Float32Array.of(0),
    added,
  })),
  others: 0,
  rest: 0,
  bias: 0.5,
  value: 2.5,
  convolution: "conv",
  steps: [],
  notes: [],
};

test("a sum reads from the bias to the value", () => {
  assert.equal(sentenceOf(sum), "0.500 (bias) + 4.00 − 2.00 = 2.50");
  const more = { ...sum, others: 3, rest: -1, value: 1.5 };
  assert.equal(sentenceOf(more), "0.500 (bias) + 4.00 − 2.00 − 1.00 (3 other channels) = 1.50");
  const steps: Sum["steps"] = [
    ["BN", -1],
    ["ReLU", 0],
  ];
  assert.equal(
    sentenceOf({ ...sum, value: 0, steps }),
    "0.500 (bias) + 4.00 − 2.00 = 2.50, after BN −1.00, after ReLU 0",
  );
});

test("the largest magnitude of what is finite", () => {
  assert.equal(largestOf(Float32Array.of(1, -3, Number.NaN, Number.NEGATIVE_INFINITY)), 3);
});
