import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, decimals } from "../../cnnwidgets/pages/unpack";

test("seven bits a letter, three of them by a stand-in", () => {
  assert.deepEqual([...bytesOf("0X@")], [97, 98]); // as packing.py says
  // 0000000 0001101 0111100 0000000: NUL, carriage return, "<", NUL.
  assert.deepEqual([...bytesOf("ÀÁÂÀ")], [0b00000000, 0b00110101, 0b11100000]);
  assert.equal(bytesOf("").length, 0);
});

test("three digits and an exponent", () => {
  assert.deepEqual([...decimals(new Uint16Array([0, 2724, 34568, 851]), -5)], [0, 1.23, -0.0999, 0.0095].map(Math.fround));
});
