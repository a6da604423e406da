import assert from "node:assert/strict";
import { test } from "node:test";
import { feedbackOf } from "../../../cnnwidgets/widgets/exercise/widget";

const choices: [string, string][] = [
  ["1", "one"],
  ["2", "two"],
];

test("the answer that was checked has its own explanation, and a mark in words", () => {
  assert.deepEqual(feedbackOf({ choices, correct: "2", selected: "2" }), {
    right: true,
    mark: "✓ Right.",
    explanation: "two",
  });
  assert.deepEqual(feedbackOf({ choices, correct: "2", selected: "1" }), {
    right: false,
    mark: "✗ Not so.",
    explanation: "one",
  });
});

test("nothing is said before an answer is checked", () => {
  assert.equal(feedbackOf({ choices, correct: "2", selected: null }), null);
  assert.equal(feedbackOf({ choices, correct: "2", selected: "3" }), null);
});
