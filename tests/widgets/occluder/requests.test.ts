import assert from "node:assert/strict";
import { test } from "node:test";
import { Newest } from "../../../cnnwidgets/widgets/occluder/requests";

function asked() {
  const sent: string[] = [];
  const newest = new Newest<string>((value) => sent.push(value));
  return { sent, newest };
}

test("one question at a time; the newest wish follows the answer", () => {
  const { sent, newest } = asked();
  for (const value of ["a", "b", "c"]) newest.want(value);
  assert.deepEqual(sent, ["a"]);
  newest.answered(1);
  assert.deepEqual(sent, ["a", "c"]);
  newest.answered(2);
  assert.equal(newest.asked, null);
  newest.want("d");
  assert.deepEqual(sent, ["a", "c", "d"]);
});

test("an answer to another question opens nothing", () => {
  const { sent, newest } = asked();
  newest.want("a");
  newest.want("b");
  newest.answered(0);
  newest.answered(7);
  assert.deepEqual(sent, ["a"]);
});

test("a question without an answer can be let go, and everything forgotten", () => {
  const { sent, newest } = asked();
  newest.want("a");
  newest.want("b");
  newest.release();
  assert.deepEqual(sent, ["a", "b"]);
  newest.want("c");
  newest.forget();
  newest.answered(2);
  assert.deepEqual(sent, ["a", "b"]);
});
