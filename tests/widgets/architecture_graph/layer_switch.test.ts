import assert from "node:assert/strict";
import { test } from "node:test";
import { factorOf, factorText } from "../../../cnnwidgets/widgets/architecture_graph/layer_switch";

test("a layer is as it is unless it is scaled, also one that is called as an object's own property", () => {
  assert.equal(factorOf({ layer1: 0 }, "layer1"), 0);
  assert.equal(factorOf({ layer1: 0 }, "layer2"), 1);
  assert.equal(factorOf({}, "constructor"), 1);
});

test("a factor in words", () => {
  assert.deepEqual([0, 0.1 + 0.2, 1, 2].map(factorText), ["off", "× 0.3", "× 1", "× 2"]);
});
