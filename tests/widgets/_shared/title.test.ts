import assert from "node:assert/strict";
import { test } from "node:test";
import { fileName, titleOf } from "../../../cnnwidgets/widgets/_shared/png";
import type { BaseState, Model } from "../../../cnnwidgets/widgets/_shared/view";

const model = (photograph: string, network: string) =>
  ({ get: (name: string) => ({ photograph, network })[name] }) as unknown as Model<BaseState>;

test("a title has photograph and network, and nothing twice", () => {
  const known = model("cat.png", "resnet18");
  assert.deepEqual(titleOf(known, "Grad-CAM", "layer4 → tabby (281)"), [
    "Grad-CAM",
    "layer4 → tabby (281)",
    "cat.png",
    "resnet18",
  ]);
  assert.deepEqual(titleOf(known, "", "Saliency → tabby (281)"), ["Saliency → tabby (281)", "cat.png", "resnet18"]);
  assert.deepEqual(titleOf(known, "Compare", "cat.png → tabby (281)"), [
    "Compare",
    "cat.png → tabby (281)",
    "resnet18",
  ]);
  assert.deepEqual(titleOf(known, "Compare", "cat.png"), ["Compare", "cat.png", "resnet18"]);
  assert.deepEqual(titleOf(model("", ""), "x"), ["x"]);
});

test("all parts of a title are in the file's name, and fit", () => {
  assert.equal(
    fileName("Grad-CAM", "blocks.6.0 → tiger cat (282)", "chelsea.png", "tf_efficientnet_lite0"),
    "Grad-CAM-blocks.6.0-tiger-cat-282-chelsea.png-tf_efficientnet_lite0.png",
  );
  assert.equal(fileName("../../a", "..b", "", "c/d"), "a-b-c-d.png");
  const layers = ["first", "second"].map((stage) => `an.encoder.with.a.long.name.of.the.contracting.path.${stage}`);
  const names = layers.map((layer) => fileName(`Grad-CAM · ${layer} → tabby, tabby cat (281)`, "cat", "n"));
  assert.equal(new Set(names).size, 2, "layers that begin alike are told apart");
  assert.ok(
    names.every((name) => name.startsWith("Grad-CAM-an.enc") && name.endsWith("-tabby-tabby-cat-281-cat-n.png")),
  );
  const long = fileName("猫".repeat(300), "犬".repeat(300), "馬".repeat(300), "n");
  assert.ok(new TextEncoder().encode(long).length <= 255);
  assert.ok(long.includes("猫") && long.includes("馬") && long.endsWith("-n.png"));
});
