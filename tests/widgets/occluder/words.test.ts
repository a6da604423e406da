import assert from "node:assert/strict";
import { test } from "node:test";
import { hardlyMoves, placesText, signedText } from "../../../cnnwidgets/widgets/occluder/state";

test("differences of probabilities are percentage points, small ones keep a digit", () => {
  assert.equal(signedText(0.201, "probability"), "+20.1 points");
  assert.equal(signedText(-0.213, "probability"), "−21.3 points");
  assert.equal(signedText(0.000_31, "probability"), "+0.03 points");
  assert.equal(signedText(-0.000_002, "probability"), "−0.0002 points");
  assert.equal(signedText(1e-9, "probability"), "+1e-7 points");
  assert.equal(signedText(0, "probability"), "0 points");
  assert.equal(signedText(Number.NaN, "probability"), "unknown");
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
