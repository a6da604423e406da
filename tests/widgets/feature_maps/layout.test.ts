import assert from "node:assert/strict";
import { test } from "node:test";
import { CAPTION, layout, move, positionOf, reveal, visible } from "../../../cnnwidgets/widgets/feature_maps/layout";

// 306 px hold four columns of 72 with gaps of 6 exactly; a row is 72 + 17 + 6 = 95 px.
const grid = layout(40, 306, "medium", 1);

test("columns fill the width", () => {
  assert.deepEqual([grid.columns, grid.width, grid.height, grid.stepX, grid.stepY], [4, 72, 72, 78, 95]);
  assert.equal(grid.total, 10 * 95 - 6);
  const wider = layout(40, 370, "medium", 1);
  assert.deepEqual([wider.columns, wider.width], [4, 88]);
});

test("a place too narrow for one cell still has one column", () => {
  assert.equal(layout(3, 20, "large", 1).columns, 1);
  assert.ok(layout(3, 0, "large", 1).width > 0);
});

test("cells keep the maps' sides, within reason", () => {
  assert.equal(layout(1, 306, "medium", 0.5).height, 36);
  assert.equal(layout(1, 306, "medium", 64).height, 144);
  assert.equal(layout(1, 306, "medium", 1 / 64).height, 29);
});

test("only rows on screen, and one more at each end, are visible", () => {
  assert.deepEqual(visible(grid, 0, 190), [0, 12]); // rows 0 and 1, and row 2
  assert.deepEqual(visible(grid, 0, 191), [0, 16]); // one pixel of row 2
  assert.deepEqual(visible(grid, 190, 95), [4, 16]); // row 2, and rows 1 and 3
  assert.deepEqual(visible(grid, 190, 95, 0), [8, 12]);
  assert.deepEqual(visible(grid, 900, 400), [32, 40]); // the last row, 9, and row 8
  assert.deepEqual(visible(grid, 5000, 400), [40, 40]);
});

test("every position is visible at its own offset", () => {
  for (let position = 0; position < grid.count; position += 1) {
    const [first, last] = visible(grid, positionOf(grid, position).top, 10, 0);
    assert.ok(first <= position && position < last, String(position));
  }
});

test("revealing scrolls no further than needed", () => {
  assert.equal(reveal(grid, 0, 0, 200), 0);
  assert.equal(reveal(grid, 0, 95, 200), 0);
  assert.equal(reveal(grid, 8, 0, 200), 190 + 72 + CAPTION - 200);
  assert.equal(reveal(grid, 39, 0, 50), 9 * 95); // higher than the window: its top edge
});

test("keys move as in a grid", () => {
  const go = (from: number, key: string, height = 200) => move(grid, from, key, height);
  assert.equal(go(5, "ArrowLeft"), 4);
  assert.equal(go(5, "ArrowRight"), 6);
  assert.equal(go(5, "ArrowUp"), 1);
  assert.equal(go(5, "ArrowDown"), 9);
  assert.equal(go(5, "Home"), 0);
  assert.equal(go(5, "End"), 39);
  assert.equal(go(5, "PageDown"), 13); // two whole rows fit into 200 px
  assert.equal(go(13, "PageUp"), 5);
  assert.equal(go(0, "ArrowLeft"), 0);
  assert.equal(go(39, "ArrowRight"), 39);
  assert.equal(go(2, "ArrowUp"), 2);
  assert.equal(go(37, "PageDown"), 37);
  assert.equal(go(6, "PageUp"), 2);
  assert.equal(go(5, "a"), null);
  assert.equal(go(5, "toString"), null);
});

test("down into a short last row stops at its last cell", () => {
  const short = layout(6, 306, "medium", 1);
  assert.equal(move(short, 3, "ArrowDown", 200), 5);
  assert.equal(move(short, 1, "ArrowDown", 200), 5);
  assert.equal(move(short, 0, "ArrowDown", 200), 4);
  assert.equal(move(layout(0, 306, "medium", 1), 0, "End", 200), null);
});
