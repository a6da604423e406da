import assert from "node:assert/strict";
import { test } from "node:test";
import { changeText, hardlyMoves, placesText, signedText } from "../../../cnnwidgets/widgets/occluder/state";

test("differences of probabilities are percentage points, small ones keep a digit", () => {
  assert.equal(signedText(0.201, "probability"), "+20.1 points");
  assert.equal(signedText(-0.213, "probability"), "−21.3 points");
  assert.equal(signedText(0.000_31, "probability"), "+0.03 points");
  assert.equal(signedText(-0.000_002, "probability"), "−0.0002 points");
  assert.equal(signedText(1e-9, "probability"), "+1e-7 points");
  assert.equal(signedText(0, "probability"), "0 points");
  assert.equal(signedText(Number.NaN, "probability"), "unknown");
});

test("a change has the digits that it takes to see it", () => {
  const change = (before: number | null, after: number, unit: "probability" | "score" = "probability") =>
    changeText([1, "cat", before, after], unit);
  assert.equal(change(0.379, 0.124), "cat 37.9 % → 12.4 %");
  assert.equal(change(0.0116, 0.0118), "cat 1.16 % → 1.18 %");
  assert.equal(change(0.000_12, 0.000_34), "cat 0.01 % → 0.03 %");
  assert.equal(change(0.25, 0.25), "cat 25.0 % → 25.0 %");
  assert.equal(change(null, 0.25), "cat NaN → 25.0 %");
  assert.equal(change(Number.NaN, Number.NaN), "cat NaN → NaN");
  assert.equal(change(-9.841, -9.8442, "score"), "cat −9.841 → −9.844");
});

test("differences of scores are numbers", () => {
  assert.equal(signedText(-2.5, "score"), "−2.50");
  assert.equal(signedText(0.0004, "score"), "+4e-4");
});

test("a score that hardly moves; one place", () => {
  assert.deepEqual(
    [hardlyMoves(0.0009, "probability"), hardlyMoves(0.0011, "probability"), hardlyMoves(0.0009, "score")],
    [true, false, false],
  );
  assert.deepEqual([placesText(1), placesText(0)], ["1 place", "0 places"]);
});
