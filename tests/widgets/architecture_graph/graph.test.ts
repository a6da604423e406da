import assert from "node:assert/strict";
import { test } from "node:test";
import { following, matches, summary } from "../../../cnnwidgets/widgets/architecture_graph/finder";
import {
  boundsOf,
  contains,
  fitZoom,
  holder,
  type Item,
  overlaps,
  READABLE,
  rounded,
  scrollTo,
  startZoom,
} from "../../../cnnwidgets/widgets/architecture_graph/geometry";
import { cut, cutName } from "../../../cnnwidgets/widgets/architecture_graph/nodes";
import { action, readingOrder } from "../../../cnnwidgets/widgets/architecture_graph/widget";

const item = (id: string, y: number, more: Partial<Item> = {}): Item => ({
  id,
  x: 0,
  y,
  w: 236,
  h: 36,
  level: 1,
  kind: "conv",
  title: id,
  detail: "",
  shape: [],
  layer: id,
  members: [id],
  ...more,
});
const a = item("a", 0);
const open = item("g", 50, { h: 100, group: "g", open: true, layer: "g", members: ["g"] });
const inner = item("g.c", 80, { level: 2, layer: "g.r", members: ["g.c", "g.b", "g.r"] });
const folded = item("z", 200, { group: "z", layer: "z", members: ["z"] });
const items = [a, open, inner, folded];

test("rectangles that touch overlap; one inside another is contained", () => {
  const box = { x: 0, y: 0, w: 10, h: 10 };
  assert.equal(overlaps(box, { x: 10, y: 10, w: 5, h: 5 }), true);
  assert.equal(overlaps(box, { x: 11, y: 0, w: 5, h: 5 }), false);
  assert.equal(contains(box, { x: 1, y: 1, w: 9, h: 9 }), true);
  assert.equal(contains(box, { x: 1, y: 1, w: 10, h: 9 }), false);
});

test("a line's bounds hold all its points", () => {
  assert.deepEqual(boundsOf([5, 1, 5, 8, -3, 8, -3, 20]), { x: -3, y: 1, w: 8, h: 19 });
});

test("the first zoom fits the width, stays readable, never enlarges", () => {
  assert.equal(startZoom(250, 500), 1);
  assert.equal(startZoom(250, 225), 0.9);
  assert.equal(startZoom(1000, 225), READABLE);
  assert.ok(11 / READABLE < 13, "11 px at this zoom is a font that still fits a line of 14 px");
  assert.equal(startZoom(250, 0), 1);
});

test("fit shows all of it", () => {
  assert.equal(fitZoom(250, 1000, 500, 500), 0.5);
  assert.equal(fitZoom(2500, 1000, 500, 500), 0.2);
  assert.equal(fitZoom(10, 10, 500, 500), 1);
});

test("scrolling moves only as far as needed", () => {
  assert.equal(scrollTo(100, 300, 150, 36, 16), 100);
  assert.equal(scrollTo(100, 300, 50, 36, 16), 34);
  assert.equal(scrollTo(100, 300, 390, 36, 16), 142);
  assert.equal(scrollTo(100, 300, 5, 36, 16), 0);
});

test("corners are rounded, short ones less", () => {
  assert.equal(rounded([0, 0, 0, 20, 30, 20], 5), "M0 0L0 15Q0 20 5 20L30 20");
  assert.equal(rounded([0, 0, 0, 4, 30, 4], 5), "M0 0L0 2Q0 4 2 4L30 4");
  assert.equal(rounded([0, 0, 0, 50], 5), "M0 0L0 50");
});

test("a name loses its first parts, then its first letters", () => {
  const wide = (text: string) => text.length;
  assert.equal(cutName("layer1.0.conv1", 14, wide), "layer1.0.conv1");
  assert.equal(cutName("layer1.0.conv1", 13, wide), "…0.conv1");
  assert.equal(cutName("layer1.0.conv1", 7, wide), "…conv1");
  assert.equal(cutName("layer1.0.conv1", 4, wide), "…nv1");
  assert.equal(cut("Conv 3×3 · BN", 9, wide), "Conv 3×3…");
  assert.equal(cut("Conv", 0, wide), "");
});

test("a search wants every word, whatever the case", () => {
  const names = ["layer1.0.conv1", "layer1.0.bn1", "layer2.0.Conv1", "fc"];
  assert.deepEqual(matches(names, "conv1"), ["layer1.0.conv1", "layer2.0.Conv1"]);
  assert.deepEqual(matches(names, " LAYER2 conv "), ["layer2.0.Conv1"]);
  assert.deepEqual(matches(names, "  "), []);
  assert.deepEqual(matches(["a(b", "a.b"], "a("), ["a(b"]);
});

test("matches follow each other around the end", () => {
  assert.deepEqual([following(-1, 3, 1), following(2, 3, 1), following(0, 3, -1), following(-1, 3, -1)], [0, 0, 2, 2]);
  assert.equal(following(-1, 0, 1), -1);
  assert.deepEqual([summary(-1, 0), summary(-1, 12), summary(1, 12)], ["no match", "12 found", "2 of 12"]);
});

test("a layer is held by its node, or by the folded group it is in", () => {
  assert.equal(holder(items, "g.b"), inner);
  assert.equal(holder(items, "g"), open);
  assert.equal(holder(items, "z.3.conv"), folded);
  assert.equal(holder(items, "g.unknown"), undefined);
  assert.equal(holder(items, "zebra"), undefined);
  assert.equal(holder(items, ""), undefined);
});

test("keys move, open, close and choose as in a tree", () => {
  assert.deepEqual(readingOrder([folded, inner, open, a]), items);
  assert.deepEqual(action("ArrowDown", items, a), { do: "focus", item: open });
  assert.equal(action("ArrowUp", items, a), undefined);
  assert.deepEqual(action("End", items, a), { do: "focus", item: folded });
  assert.deepEqual(action("ArrowRight", items, folded), { do: "expand", item: folded });
  assert.deepEqual(action("ArrowRight", items, open), { do: "focus", item: inner });
  assert.deepEqual(action("ArrowLeft", items, inner), { do: "focus", item: open });
  assert.deepEqual(action("ArrowLeft", items, open), { do: "collapse", item: open });
  assert.deepEqual(action("Enter", items, folded), { do: "select-expand", item: folded });
  assert.deepEqual(action(" ", items, folded), { do: "select", item: folded });
  assert.equal(action("q", items, a), undefined);
});
