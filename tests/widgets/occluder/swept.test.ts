import assert from "node:assert/strict";
import { test } from "node:test";
import { farthest } from "../../../cnnwidgets/widgets/_maps/scale";
import { mapPixels } from "../../../cnnwidgets/widgets/occluder/map";
import {
  classColours,
  countsOf,
  FIRST_COLOUR,
  isMadeWith,
  madeOf,
  nextPlace,
  OTHER_COLOUR,
  patchAt,
  placeAt,
  readingAt,
  type Swept,
  scoresAt,
} from "../../../cnnwidgets/widgets/occluder/swept";

const swept: Swept = {
  id: 1,
  rows: 2,
  columns: 2,
  tops: Int32Array.of(0, 2),
  lefts: Int32Array.of(0, 3),
  drop: Float32Array.of(0.25, -0.125, Number.NaN, 0),
  predicted: Int32Array.of(7, 9, -1, 7),
  known: Uint8Array.of(1, 1, 0, 0),
  scores: Float32Array.of(0.25, 0.5, 0.625, 0.25, Number.NaN, Number.NaN, 0.5, 0.5),
  classes: [7, 9],
  baseline: [0.5, 0.25],
  names: { 7: "cat", 9: "dog" },
  patch: [2, 3],
  first: 7,
  unit: "probability",
  target: "cat",
  fill: "color",
  color: "#ff0000",
};

test("the scale ends at the largest change", () => {
  assert.equal(farthest(swept.drop), 0.25);
  assert.equal(farthest(Float32Array.of(Number.NaN, 0)), 0);
});

test("classes are counted, unknown places not", () => {
  assert.deepEqual(countsOf(swept), [
    { index: 7, name: "cat", places: 2 },
    { index: 9, name: "dog", places: 1 },
  ]);
});

test("a class keeps its colour while the map refines", () => {
  const before = classColours(countsOf(swept), 7);
  assert.equal(before.get(7), FIRST_COLOUR);
  const more = [11, 9, 7].map((index, i) => ({ index, name: "", places: 9 - i }));
  const after = classColours(more, 7, before);
  assert.equal(after.get(9), before.get(9));
  assert.equal(new Set(after.values()).size, 3);
  const many = Array.from({ length: 14 }, (_, index) => ({ index, name: "", places: 1 }));
  assert.equal(classColours(many, 7).get(13), OTHER_COLOUR);
});

test("the place under a pixel, and its patch", () => {
  assert.equal(placeAt(swept, [4, 6], 0, 0), 0);
  assert.equal(placeAt(swept, [4, 6], 3, 2), 2);
  assert.equal(placeAt(swept, [4, 6], 1, 5), 1);
  assert.deepEqual(patchAt(swept, 3), { top: 2, left: 3, height: 2, width: 3, fill: "color", color: "#ff0000" });
});

test("bars at a place", () => {
  const scores = scoresAt(swept, 1)!;
  assert.deepEqual(scores.rows, [
    [7, "cat", 0.5, 0.625],
    [9, "dog", 0.25, 0.25],
  ]);
  assert.deepEqual([scores.target, scores.first, scores.now], [7, 7, 9]);
  assert.equal(scoresAt({ ...swept, scores: null }, 1), null);
  assert.equal(scoresAt(swept, 2)!.rows[0]![3], null);
});

test("the reading", () => {
  assert.equal(readingAt(swept, 0), "y 0, x 0: cat 50.0 % → 25.0 % (drop +25.0 points); cat");
  assert.equal(readingAt(swept, 1), "y 0, x 3: cat 50.0 % → 62.5 % (drop −12.5 points); dog");
  assert.equal(readingAt(swept, 2), "y 2, x 0: cat (drop unknown, estimated); class unknown");
});

test("what made it, and whether the settings are others now", () => {
  assert.equal(madeOf(swept), "2 × 3 px patch, stride 3, #ff0000 fill");
  const even: Swept = {
    ...swept,
    patch: [4, 4],
    tops: Int32Array.of(0, 3, 6),
    lefts: Int32Array.of(0, 3, 6, 8),
    fill: "mean",
  };
  assert.equal(madeOf(even), "4 px patch, stride 3, mean colour fill");
  const one = { size: 4, stride: 3, fill: "mean", color: "#000000" } as const;
  assert.equal(isMadeWith(even, one, [10, 12]), true, "the colour does not matter");
  assert.equal(isMadeWith(even, { ...one, size: 5 }, [10, 12]), false);
  assert.equal(isMadeWith(even, { ...one, stride: 2 }, [10, 12]), false);
  assert.equal(isMadeWith(even, { ...one, fill: "grey" }, [10, 12]), false);
  const red = { ...even, fill: "color" } as const;
  assert.equal(isMadeWith(red, { ...one, fill: "color" }, [10, 12]), false, "another colour");
});

test("keys stay on the map", () => {
  assert.equal(nextPlace(swept, 0, "ArrowRight"), 1);
  assert.equal(nextPlace(swept, 1, "ArrowRight"), 1);
  assert.equal(nextPlace(swept, 1, "ArrowDown"), 3);
  assert.equal(nextPlace(swept, 3, "Home"), 2);
  assert.equal(nextPlace(swept, 0, "a"), null);
});

test("pixels: red where the score drops, blue where it rises, clear where unknown, faint where estimated", () => {
  const pixels = mapPixels(swept, "drop", new Map(), [4, 6]);
  const at = (row: number, column: number) => [...pixels.slice((row * 6 + column) * 4, (row * 6 + column) * 4 + 4)];
  assert.deepEqual(at(0, 0).slice(0, 3), [103, 0, 31]); // the map's last colour
  const [red, , blue] = at(0, 5);
  assert.ok(blue! > red!);
  assert.equal(at(3, 0)[3], 0);
  assert.ok(at(3, 5)[3]! < at(0, 0)[3]!);
  const classes = mapPixels(swept, "class", new Map([[7, "#010203"]]), [4, 6]);
  assert.deepEqual([...classes.slice(0, 3)], [1, 2, 3]);
  assert.equal(classes[5 * 4 + 3], 0); // class 9 has no colour
});
