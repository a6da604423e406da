import assert from "node:assert/strict";
import { test } from "node:test";
import { viewOf } from "../../../cnnwidgets/widgets/_maps/heat";
import type { Sign } from "../../../cnnwidgets/widgets/_maps/scale";
import { allSame, type ScaledMap, scalesOf, wordsOf } from "../../../cnnwidgets/widgets/comparison/scales";
import { heat } from "../_maps/heat";

function shown(
  values: number[],
  { sign = "positive", clip = 0, unit = "u" }: { sign?: Sign; clip?: number; unit?: string } = {},
): ScaledMap {
  return { view: viewOf(heat(values, [1, values.length]), sign), clip, unit };
}

const limits = (rows: (ScaledMap | null)[][], mode: "own" | "method" | "all") =>
  scalesOf(rows, mode).map((row) => row.map((scale) => scale?.limit ?? null));

test("own, per method, all: by hand", () => {
  const rows = [
    [shown([1, 2]), shown([-7, 4]), null],
    [shown([9]), shown([-3])],
  ];
  assert.deepEqual(limits(rows, "own"), [
    [2, 4, null],
    [9, 0],
  ]);
  assert.deepEqual(limits(rows, "method"), [
    [4, 4, null],
    [9, 9],
  ]);
  assert.deepEqual(limits(rows, "all"), [
    [9, 9, null],
    [9, 9],
  ]);
  const signed = [[shown([1, 2], { sign: "signed" }), shown([-7, 4], { sign: "signed" })]];
  assert.deepEqual(limits(signed, "method"), [[7, 7]]);
});

test("a clipped map shares the end of its clipped scale, and the bar says so", () => {
  const values = Array.from({ length: 101 }, (_, i) => i);
  const gradient = shown(values, { clip: 1 });
  const [[alone]] = scalesOf([[gradient]], "method") as [[{ limit: number; clipped: boolean }]];
  assert.deepEqual(alone, { limit: 99, clipped: true });
  const [[low, high]] = scalesOf([[gradient, shown([200])]], "method") as [[{ limit: number }, { limit: number }]];
  assert.deepEqual(
    [low, high],
    [
      { limit: 200, clipped: false },
      { limit: 200, clipped: false },
    ],
  );
});

test("what the scale allows is said, and one scale for two units is warned of", () => {
  const two = [[shown([2], { unit: "gradient" })], [shown([3], { unit: "activation" })]];
  assert.deepEqual(
    wordsOf(two, "all").map(({ warn }) => warn),
    [true],
  );
  assert.match(wordsOf(two, "all")[0]!.text, /gradient; activation/u);
  assert.deepEqual(wordsOf([[shown([2]), shown([3])]], "all"), [
    { text: "All maps share one scale: the same colour is the same number.", warn: false },
  ]);
  assert.match(wordsOf(two, "own")[0]!.text, /compare places, not colours/u);
  assert.match(wordsOf(two, "method")[0]!.text, /within a method/u);
  assert.deepEqual(wordsOf([[null]], "method"), []);
});

test("maps too faint to be seen are pointed out", () => {
  assert.equal(wordsOf([[shown([1]), shown([11])]], "method").length, 2);
  assert.equal(wordsOf([[shown([1]), shown([9])]], "method").length, 1);
  assert.equal(wordsOf([[shown([1]), shown([11])]], "own").length, 1);
});

test("a row of the very same map is noticed", () => {
  assert.equal(allSame([shown([1, Number.NaN]), shown([1, Number.NaN])]), true);
  assert.equal(allSame([shown([1, 2]), shown([1, 3])]), false);
  assert.equal(allSame([shown([1]), null]), false);
  assert.equal(allSame([shown([1])]), false);
});
