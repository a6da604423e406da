import assert from "node:assert/strict";
import { test } from "node:test";
import { rawName, rowAt, search } from "../../../cnnwidgets/widgets/class_scores/widget";

test("rows share the height", () => {
  assert.equal(rowAt(0, 60, 3), 0);
  assert.equal(rowAt(19.9, 60, 3), 0);
  assert.equal(rowAt(20, 60, 3), 1);
  assert.equal(rowAt(59.9, 60, 3), 2);
});

test("outside there is no row", () => {
  assert.equal(rowAt(-1, 60, 3), null);
  assert.equal(rowAt(60, 60, 3), null);
  assert.equal(rowAt(5, 60, 0), null);
  assert.equal(rowAt(0, 0, 3), null);
});

test("search puts names that begin so first, and takes numbers", () => {
  const names = ["wild cat", "catamaran", "dog", "Cat"];
  assert.deepEqual(search(names, "cat", 9), [1, 3, 0]);
  assert.deepEqual(search(names, " CAT ", 1), [1]);
  assert.deepEqual(search(names, "2", 9), [2]);
  assert.deepEqual(search(names, "  ", 9), []);
  assert.deepEqual(search(names, "zebra", 9), []);
});

test("the model's own numbers have the name of what they are", () => {
  assert.deepEqual([null, "logits", "logit", "independent_logits"].map(rawName), ["Logit", "Logit", "Logit", "Logit"]);
  assert.deepEqual(["softmax", "sigmoid", "number"].map(rawName), ["Output", "Output", "Output"]);
  assert.deepEqual(["log_softmax", "log_sigmoid"].map(rawName), ["Log-probability", "Log-probability"]);
});
