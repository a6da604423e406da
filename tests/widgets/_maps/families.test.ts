import assert from "node:assert/strict";
import { test } from "node:test";
import { byFamily } from "../../../cnnwidgets/widgets/_maps/families";
import type { Method } from "../../../cnnwidgets/widgets/_maps/scale";
import { typed } from "../../../cnnwidgets/widgets/heatmap_overlay/methods";

const method = (name: string, family?: string): Method =>
  family === undefined ? [name, name, ""] : [name, name, "", family];

test("families have a fixed order; what belongs to none is the reader's", () => {
  const given = [
    method("lrp", "propagation"),
    method("occlusion", "perturbation"),
    method("cam", "cam"),
    method("old"),
    method("cam2", "cam"),
  ];
  assert.deepEqual(
    byFamily(given).map(([heading, members]) => [heading, members.map(([name]) => name)]),
    [
      ["Class activation maps", ["cam", "cam2"]],
      ["Perturbation", ["occlusion"]],
      ["Yours", ["lrp", "old"]],
    ],
  );
});

test("type-ahead: on to the next, round the end, several letters, no match", () => {
  const names = ["Grad-CAM", "Guided backprop", "Saliency", "grad-CAM++"];
  assert.equal(typed(names, "g", 0), 1);
  assert.equal(typed(names, "g", 3), 0);
  assert.equal(typed(names, "gu", 0), 1);
  assert.equal(typed(names, "gr", 0), 0, "stays while it still fits");
  assert.equal(typed(names, "gg", 1), 3, "the same letter again goes on");
  assert.equal(typed(names, "x", 2), 2);
});
