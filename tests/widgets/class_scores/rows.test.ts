import assert from "node:assert/strict";
import { test } from "node:test";
import { rawName, search } from "../../../cnnwidgets/widgets/class_scores/widget";

test("search puts whole words first, of those the likelier, and takes numbers", () => {
  const names = ["wild cat", "catamaran", "dog", "Cat", "tiger cat", "wildcat", "cat-bear"];
  assert.deepEqual(search(names, "cat", 9), [3, 0, 4, 6, 1, 5]);
  assert.deepEqual(search(names, "cat", 9, [5, 1, 6, 4, 2, 0, 3]), [3, 6, 4, 0, 1, 5]);
  assert.deepEqual(search(names, "cat", 9, [4]), [3, 4, 0, 6, 1, 5]);
  assert.deepEqual(search(names, " TIGER cat ", 1), [4]);
  assert.deepEqual(search(names, "2", 9), [2]);
  assert.deepEqual(search(names, "  ", 9), []);
  assert.deepEqual(search(names, "zebra", 9), []);
});

test("the model's own numbers have the name of what they are", () => {
  assert.deepEqual([null, "logits", "logit", "independent_logits"].map(rawName), ["Logit", "Logit", "Logit", "Logit"]);
  assert.deepEqual(["softmax", "sigmoid", "number"].map(rawName), ["Output", "Output", "Output"]);
  assert.deepEqual(["log_softmax", "log_sigmoid"].map(rawName), ["Log-probability", "Log-probability"]);
});
