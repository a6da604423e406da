import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, decimals, summed } from "../../cnnwidgets/pages/unpack";

test("seven bits a letter, three of them by a stand-in", () => {
  assert.deepEqual([...bytesOf("0X@")], [97, 98]); // as packing.py says
  // 0000000 0001101 0111100 0000000: NUL, carriage return, "<", NUL.
  assert.deepEqual([...bytesOf("ÀÁÂÀ")], [0b00000000, 0b00110101, 0b11100000]);
  assert.equal(bytesOf("").length, 0);
});

test("three digits and an exponent", () => {
  const codes = new Uint16Array([0, 3 * 1024 + 24, 32768 + 1024 + 900, 851]);
  assert.deepEqual([...decimals(codes, -5, 3)], [0, 1.23, -0.0999, 0.0095].map(Math.fround));
});

test("two digits, in the lower byte", () => {
  const codes = new Uint16Array([0, 3 * 256 + 3, 32768 + 90, 5 * 256 + 1]);
  assert.deepEqual([...decimals(codes, -4, 2)], [0, 1.2, -0.0099, 100].map(Math.fround));
});

test("pixels are summed up from the differences to their neighbours, over the end of a byte", () => {
  const differences = new Uint8Array([10, 250, 3, 5, 10, 252]);
  assert.deepEqual([...summed(differences, 3)], [10, 250, 3, 15, 4, 255]);
  assert.deepEqual([...differences], [10, 250, 3, 5, 10, 252]);
});
