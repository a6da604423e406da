import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../../../cnnwidgets/widgets/panel_tabs/widget";

test("arrows go round, Home and End to the ends, other keys nowhere", () => {
  assert.equal(moved("ArrowRight", 2, 3), 0);
  assert.equal(moved("ArrowLeft", 0, 3), 2);
  assert.equal(moved("Home", 2, 3), 0);
  assert.equal(moved("End", 0, 3), 2);
  assert.equal(moved("a", 0, 3), -1);
  assert.equal(moved("ArrowRight", -1, 3), -1);
});
