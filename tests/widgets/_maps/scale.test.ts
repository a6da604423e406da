import assert from "node:assert/strict";
import { test } from "node:test";
import { barLabels, limitOf, partOf, type Sign, statsOf } from "../../../cnnwidgets/widgets/_maps/scale";
import { once, sentencesOf } from "../../../cnnwidgets/widgets/heatmap_overlay/sentences";

const map = (...values: number[]) => Float32Array.of(...values);
const texts = (values: Float32Array, sign: Sign, partial = false) =>
  sentencesOf(statsOf(values), sign, partial).map(({ text }) => text);

test("statistics are of the finite values", () => {
  assert.deepEqual(statsOf(map(1, Number.NaN, -3, Number.POSITIVE_INFINITY, 2, Number.NEGATIVE_INFINITY)), {
    min: -3,
    max: 2,
    total: 6,
    nan: 1,
    infinite: 2,
  });
});

test("the scale is the map's own", () => {
  const stats = statsOf(map(-4, 0, 2.5));
  assert.equal(limitOf(stats, "positive"), 2.5);
  assert.equal(limitOf(stats, "negative"), 4);
  assert.equal(limitOf(stats, "signed"), 4);
});

test("a side with nothing on it has no scale", () => {
  assert.equal(limitOf(statsOf(map(-4, -1)), "positive"), 0);
  assert.equal(limitOf(statsOf(map(4, 1)), "negative"), 0);
  assert.equal(limitOf(statsOf(map(Number.NaN, Number.NaN)), "signed"), 0);
});

test("parts", () => {
  const values = map(-4, 0, 2.5, Number.POSITIVE_INFINITY);
  assert.deepEqual([...partOf(values, "positive")], [0, 0, 2.5, Number.NaN]);
  assert.deepEqual([...partOf(values, "negative")].map(Math.abs), [4, 0, 0, Number.NaN]);
  assert.deepEqual([...partOf(values, "signed")], [-4, 0, 2.5, Number.NaN]);
});

test("the bar carries true numbers, with their sign", () => {
  assert.deepEqual(barLabels(4.8125, "positive"), ["0", "", "4.81"]);
  assert.deepEqual(barLabels(4.8125, "negative"), ["0", "", "−4.81"]);
  assert.deepEqual(barLabels(0.003_21, "signed"), ["−0.00321", "0", "+0.00321"]);
  assert.deepEqual(barLabels(0, "signed"), ["", "", ""]);
});

test("a map without positive values says so, and where to look", () => {
  const [said] = sentencesOf(statsOf(map(-4, -1)), "positive", false);
  assert.equal(said?.text, "The map is negative everywhere: nothing speaks for this class here.");
  assert.equal(said?.see, "signed");
  assert.deepEqual(texts(map(-4, 0), "positive"), ["The map is nowhere positive: nothing speaks for this class here."]);
  assert.deepEqual(texts(map(4, 0), "negative"), [
    "The map is nowhere negative: nothing speaks against this class here.",
  ]);
  assert.deepEqual(texts(map(-4, -1), "signed"), []);
});

test("constant maps say so", () => {
  assert.deepEqual(texts(map(0, 0), "positive"), ["The map is zero everywhere."]);
  assert.deepEqual(texts(map(3, 3), "positive"), ["The map is 3.00 everywhere: no place stands out."]);
  assert.deepEqual(texts(map(-3, -3), "signed"), ["The map is −3.00 everywhere: no place stands out."]);
});

test("what is not finite is counted", () => {
  assert.deepEqual(texts(map(1, Number.NaN, Number.NEGATIVE_INFINITY, 4), "positive"), [
    "2 of 4 values are not finite numbers (NaN or infinity); hatched in magenta.",
  ]);
  assert.deepEqual(texts(map(1, Number.NaN, 4), "positive"), [
    "1 of 3 values is not a finite number (NaN or infinity); hatched in magenta.",
  ]);
  assert.deepEqual(texts(map(Number.NaN, Number.NaN), "positive"), [
    "No value of the map is a finite number: it shows nothing.",
  ]);
});

test("a map that fills in passes no judgement yet", () => {
  assert.deepEqual(texts(map(-1, Number.NaN, Number.NaN, Number.NaN), "positive", true), [
    "25.0 % of the map is known; the rest is hatched.",
  ]);
  assert.deepEqual(texts(map(Number.NaN, Number.NaN), "positive", true), [
    "0 % of the map is known; the rest is hatched.",
  ]);
  assert.deepEqual(texts(map(1, 2), "positive", true), ["This map is not final."]);
  assert.equal(texts(map(1, Number.POSITIVE_INFINITY, Number.NaN, 2), "positive", true).length, 2);
});

test("one fact is said once", () => {
  const own = sentencesOf(statsOf(map(-2, -1)), "positive", false);
  const note = (text: string) => ({ level: "warn" as const, text });
  const negative = note("map is negative everywhere before ReLU (image 1)");
  const others = [note("2 of 17 ReLUs could not be guided"), note("map is of another image")];
  assert.deepEqual(once(own, [negative, ...others]), [...own, ...others]);
  // What the panel does not say by itself is kept.
  const signed = sentencesOf(statsOf(map(-2, -1)), "signed", false);
  assert.deepEqual(once(signed, [negative]), [negative]);
});
