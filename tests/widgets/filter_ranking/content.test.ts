import assert from "node:assert/strict";
import { test } from "node:test";
import type { Data } from "../../../cnnwidgets/widgets/_shared/view";
import { GROUP_COLOURS, type Groups, groupPixels, rankingOf } from "../../../cnnwidgets/widgets/filter_ranking/content";

test("a ranking begins with the largest fall and leaves out what is not known", () => {
  const drops = { data: Float32Array.of(1, Number.NaN, -4, 2, 2), shape: [5] };
  const data: Data = { kind: "ranking", id: 1, content: { score: 3 }, arrays: { drops } };
  const ranking = rankingOf(data)!;
  assert.deepEqual(ranking.order, [3, 4, 0, 2]);
  assert.equal(ranking.longest, 4);
  assert.equal(rankingOf({ ...data, arrays: {} }), null);
});

const groups: Groups = {
  size: [1, 2],
  maps: [Float32Array.of(10, 0), Float32Array.of(0.5, 1)],
  channels: [],
  parts: [],
  weights: null,
  explained: 1,
  signed: false,
  notes: [],
  extent: [0, 0, 1, 1],
};

test("each place has the colour of the group that is strongest there, each on its own scale", () => {
  // Left: 10 of 10 against 0.5 of 1; right: nothing against 1 of 1.
  const pixels = groupPixels(groups, new Set(), [1, 2]);
  assert.deepEqual([...pixels], [...GROUP_COLOURS[0]!, 200, ...GROUP_COLOURS[1]!, 200]);
});

test("a hidden group leaves its places to the others", () => {
  assert.deepEqual(
    [...groupPixels(groups, new Set([0]), [1, 2])],
    [...GROUP_COLOURS[1]!, 100, ...GROUP_COLOURS[1]!, 200],
  );
  assert.deepEqual([...groupPixels(groups, new Set([0, 1]), [1, 2])], [0, 0, 0, 0, 0, 0, 0, 0]);
});
