import assert from "node:assert/strict";
import { test } from "node:test";
import { heatOf, linesAt, mergedBy, viewOf } from "../../../cnnwidgets/widgets/_maps/heat";
import { wrapped } from "../../../cnnwidgets/widgets/_maps/sheet";
import { fileName } from "../../../cnnwidgets/widgets/_shared/png";
import { heat } from "./heat";

test("a push without values is no map", () => {
  assert.equal(heatOf({ kind: "map", id: 3, content: { message: "gone" }, arrays: {} }), null);
});

test("an input gradient shows its magnitude, and its sum where a sign is asked for", () => {
  const gradient = heat([-1, 2], [1, 2], { magnitude: Float32Array.of(4, 3), channels: 3 });
  assert.deepEqual([...viewOf(gradient, "positive").part], [4, 3]);
  assert.deepEqual([...viewOf(gradient, "signed").part], [-1, 2]);
  assert.equal(viewOf(gradient, "negative").limit, 1);
  assert.equal(mergedBy(gradient, "positive"), "largest magnitude over 3 channels");
  assert.equal(mergedBy(gradient, "signed"), "sum over 3 channels");
  assert.equal(mergedBy(heat([1], [1, 1]), "signed"), "");
});

test("a map without a sign is shown as it is, whatever was chosen", () => {
  assert.equal(viewOf(heat([1, 2], [1, 2], { unsigned: true }), "negative").limit, 2);
});

test("the tooltip: what is painted, where, and the cell's own number", () => {
  const coarse = heat([-2, 6], [1, 2]);
  const lines = (sign: "positive" | "signed" | "negative", column: number, smooth = true) =>
    linesAt(coarse, viewOf(coarse, sign), [4, 4], 1, column, smooth);
  // Column 1 of 4 has its centre ¼ of the way from the first cell to the second: -2 + 8/4, or 0 + 6/4 after max(v, 0).
  assert.deepEqual(lines("signed", 1), ["0", "row 1, column 1", "cell 0, 0 of 1 × 2: −2.00"]);
  assert.deepEqual(lines("positive", 1), ["1.50", "row 1, column 1", "cell 0, 0 of 1 × 2: −2.00"]);
  assert.deepEqual(lines("positive", 1, false), ["0", "row 1, column 1", "cell 0, 0 of 1 × 2: −2.00"]);
  assert.deepEqual(lines("negative", 0), ["−2.00", "row 1, column 0", "cell 0, 0 of 1 × 2: −2.00"]);
});

test("the tooltip of a map as fine as the picture", () => {
  const fine = heat([-2, 6, Number.NaN, Number.POSITIVE_INFINITY], [1, 4]);
  const at = (column: number, map = fine) => linesAt(map, viewOf(map, "positive"), [1, 4], 0, column, true);
  assert.deepEqual(at(1), ["6.00", "row 0, column 1"]);
  assert.deepEqual(at(0), ["0", "row 0, column 0", "map: −2.00"]);
  assert.deepEqual(at(2), ["NaN", "row 0, column 2"]);
  assert.deepEqual(at(3), ["∞", "row 0, column 3"]);
  assert.deepEqual(at(2, { ...fine, partial: true }), ["not known yet", "row 0, column 2"]);
});

test("text on the saved picture is broken between words, and inside one that is too long", () => {
  const letters = (text: string) => text.length;
  assert.deepEqual(wrapped("the quick brown fox", 10, letters), ["the quick", "brown fox"]);
  assert.deepEqual(wrapped("abcdefghijkl mn", 5, letters), ["abcde", "fghij", "kl mn"]);
  assert.deepEqual(wrapped("  ", 5, letters), []);
});

test("any caption makes a file name", () => {
  assert.equal(fileName("blocks.6.0 → tiger cat (282)"), "blocks.6.0-tiger-cat-282.png");
  assert.equal(fileName("<script>../../x</script>"), "script-x-script.png");
  assert.equal(fileName(""), "heatmap.png");
  assert.equal(fileName("x".repeat(500)).length, 84);
});
