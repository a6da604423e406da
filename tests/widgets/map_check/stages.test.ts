import assert from "node:assert/strict";
import { test } from "node:test";
import { missing, similarity, stagesOf, stepsOf } from "../../../cnnwidgets/widgets/map_check/widget";

test("similarities have two digits and a true minus sign, and say when there is none", () => {
  assert.equal(similarity(0.081), "0.08");
  assert.equal(similarity(-0.2), "−0.20");
  assert.equal(similarity(-0.001), "0.00");
  assert.equal(similarity(1), "1.00");
  for (const none of [null, undefined, Number.NaN]) assert.equal(similarity(none), "–");
});

test("the original comes first, then one stage a layer", () => {
  const stages = stagesOf({ layers: ["fc", "blocks.0"], similarity: [0.5, null] });
  assert.deepEqual(
    stages.map(({ number, layer, similarity }) => [number, layer, similarity]),
    [
      [0, "original", ""],
      [1, "fc", "0.50"],
      [2, "blocks.0", "–"],
    ],
  );
  assert.equal(stages[1]!.title, "Stage 1: random weights from the output down to fc; similarity 0.50 to the original");
  assert.match(stages[2]!.title, /down to blocks\.0; cannot be compared/u);
  assert.equal(stagesOf({}).length, 1);
});

test("a strip that was stopped says how much there is", () => {
  assert.equal(missing({ layers: ["a", "b"], total: 8 }), "Partial: stopped at 2 of 8 stages.");
  assert.equal(missing({ layers: ["a", "b"], total: 2 }), "");
  assert.equal(missing({ layers: ["a"] }), "");
  assert.equal(missing({}), "");
});

test("under a chart stand whole stages, five numbers at most, or shares", () => {
  assert.deepEqual(stepsOf({ end: 1, stages: false }), [0, 0.5, 1]);
  assert.deepEqual(stepsOf({ end: 3, stages: true }), [0, 1, 2, 3]);
  assert.deepEqual(stepsOf({ end: 8, stages: true }), [0, 2, 4, 6, 8]);
  assert.deepEqual(stepsOf({ end: 7, stages: true }), [0, 2, 4, 6]);
});
