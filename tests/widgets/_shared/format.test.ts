import assert from "node:assert/strict";
import { test } from "node:test";
import { count, number, percent, shape } from "../../../cnnwidgets/widgets/_shared/format";

test("numbers keep three digits and a true minus", () => {
  assert.equal(number(-21.104), "−21.10");
  assert.equal(number(0.001_23), "0.00123");
  assert.equal(number(1234.56), "1234.6");
  assert.equal(number(1_200_000), "1.2e6");
  assert.equal(number(-4.2e-7), "−4.2e-7");
  assert.equal(number(0), "0");
  assert.equal(number(Number.NaN), "NaN");
  assert.equal(number(Number.NEGATIVE_INFINITY), "−∞");
});

test("shares, counts and shapes", () => {
  assert.equal(percent(0.379), "37.9 %");
  assert.equal(percent(0.0001), "<0.1 %");
  assert.equal(percent(0.0007), "0.1 %"); // as Python writes it
  assert.equal(percent(1), "100 %");
  assert.equal(percent(Number.NaN), "NaN");
  assert.equal(count(4_651_000), "4.65 M");
  assert.equal(count(17), "17");
  assert.equal(shape([3, 224, 224]), "3 × 224²");
  assert.equal(shape([64, 28, 14]), "64 × 28 × 14");
  assert.equal(shape([1000]), "1000");
});
