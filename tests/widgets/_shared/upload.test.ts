import assert from "node:assert/strict";
import { test } from "node:test";
import { tooLarge } from "../../../cnnwidgets/widgets/_shared/upload";

test("what Jupyter's socket would drop is refused with its size", () => {
  assert.equal(tooLarge(9_500_000), "");
  assert.match(tooLarge(9_500_001), /9\.5 MB can be sent/u);
  assert.match(tooLarge(25_000_000), /has 25\.0 MB/u);
  assert.match(tooLarge(0), /empty/u);
});
