import assert from "node:assert/strict";
import { test } from "node:test";
import { inkOf, stroked } from "../../../cnnwidgets/widgets/convolution_stepper/brush";
import {
  cellAt,
  cornerOf,
  listsOf,
  outputNear,
  outputOf,
  outputSides,
  problemOf,
  resizedKernel,
  type Setup,
  termsAt,
  volumeOf,
} from "../../../cnnwidgets/widgets/convolution_stepper/sliding";
import { brief, stepSentence } from "../../../cnnwidgets/widgets/convolution_stepper/words";

const PLAIN = { bias: 0, stride: 1, padding: 0, dilation: 1, operation: "conv" } as const;
// 0 to 15 in four rows.
const COUNTED = volumeOf([Array.from({ length: 4 }, (_, row) => [0, 1, 2, 3].map((column) => row * 4 + column))]);

function setup(more: Partial<Setup>): Setup {
  return {
    ...PLAIN,
    input: COUNTED,
    kernel: volumeOf([
      [
        [1, 2],
        [3, 4],
      ],
    ]),
    ...more,
  };
}

test("a convolution by hand", () => {
  // 0 + 2·1 + 3·4 + 4·5 = 34; each step right adds 10, each down 40.
  assert.deepEqual([...outputOf(setup({}))], [34, 44, 54, 74, 84, 94, 114, 124, 134]);
  assert.deepEqual([...outputOf(setup({ stride: 2, bias: 0.5 }))], [34.5, 54.5, 114.5, 134.5]);
  // Dilated: cells 0, 2, 8 and 10: 0 + 4 + 24 + 40.
  assert.deepEqual([...outputOf(setup({ dilation: 2 }))], [68, 78, 108, 118]);
});

test("padding is zeros", () => {
  const padded = setup({ padding: 1 });
  assert.deepEqual(outputSides(padded), [5, 5]);
  assert.deepEqual([...outputOf(padded)].slice(0, 6), [0, 4, 11, 18, 9, 16]);
  assert.deepEqual(cornerOf(padded, 0, 2), [-1, 1]);
  assert.equal(cellAt(padded, 0, -1, 2), 0);
});

test("channels add up, and each says what it adds", () => {
  const input = volumeOf([[[1, 2]], [[10, 20]]]);
  const both = setup({ input, kernel: volumeOf([[[1, -1]], [[0.5, 2]]]), bias: 3 });
  const terms = termsAt(both, 0, 0);
  assert.deepEqual(
    terms.map(({ added }) => added),
    [-1, 45],
  );
  assert.deepEqual([...terms[1]!.products], [5, 40]);
  assert.deepEqual([...outputOf(both)], [47]);
  assert.equal(stepSentence(both, terms, ["red", "1"], 0), "3.00 (bias) − 1.00 (red) + 45.00 (channel 1) = 47.00");
});

test("poolings, each channel by itself", () => {
  const input = volumeOf([
    [
      [1, -2],
      [3, -4],
    ],
    [
      [-5, -6],
      [-7, -8],
    ],
  ]);
  const two = volumeOf([
    [
      [1, 1],
      [1, 1],
    ],
    [
      [1, 1],
      [1, 1],
    ],
  ]);
  const max = setup({ input, kernel: two, operation: "max" });
  assert.deepEqual([...outputOf(max, 0), ...outputOf(max, 1)], [3, -5]);
  const avg = setup({ input, kernel: two, operation: "avg" });
  assert.deepEqual([...outputOf(avg, 0), ...outputOf(avg, 1)], [-0.5, -6.5]);
  assert.equal(stepSentence(avg, termsAt(avg, 0, 0), ["0", "1"], 0), "−2.00 (their sum) ÷ 4 = −0.500");
  // Padding is never the largest, and counts as zeros in a mean, as torch has it.
  assert.deepEqual(
    [...outputOf(setup({ input, kernel: two, operation: "max", padding: 1 }), 1)].slice(0, 3),
    [-5, -5, -6],
  );
  assert.equal(outputOf(setup({ input, kernel: two, operation: "avg", padding: 1 }), 1)[0], -1.25);
});

test("what does not fit says why", () => {
  assert.equal(problemOf(setup({})), "");
  assert.match(
    problemOf(setup({ dilation: 4 })),
    /2 × 2, 5 × 5 with its dilation is larger than the input of 4 × 4\. /u,
  );
  assert.match(problemOf(setup({ operation: "avg", dilation: 2 })), /no dilation/u);
  assert.match(problemOf(setup({ operation: "max", padding: 2 })), /at most half of its window of 2 × 2: 1/u);
});

test("a kernel of another size keeps its middle", () => {
  const kernel = volumeOf([
    [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
  ]);
  assert.deepEqual(listsOf(resizedKernel(kernel, 1)), [[[5]]]);
  const [larger] = listsOf(resizedKernel(kernel, 5));
  assert.deepEqual(
    [larger?.[0], larger?.[2]],
    [
      [0, 0, 0, 0, 0],
      [0, 4, 5, 6, 0],
    ],
  );
});

test("a clicked cell finds its window", () => {
  const three = setup({
    kernel: volumeOf([
      [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
    ]),
  });
  assert.deepEqual(outputNear(three, 2, 1), [1, 0]);
  assert.deepEqual(outputNear(three, 0, 3), [0, 1]);
  assert.deepEqual(outputNear({ ...three, padding: 1, stride: 2 }, 3, 3), [1, 1]);
});

test("numbers that fit a cell", () => {
  const texts = [0, 0.25, -1.5, 12.34, -123.4, 0.0004, 1e6, 99.97, Number.NEGATIVE_INFINITY].map(brief);
  assert.deepEqual(texts, ["0", "0.25", "−1.5", "12.3", "−123", "4e-4", "1e6", "100", "−∞"]);
});

test("a stroke is white in the middle and adds", () => {
  const blank = volumeOf([
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
    [
      [0, 0, 0.5],
      [0, 0, 0],
    ],
  ]);
  const { values } = stroked(blank, [0.5, 0.5], [0.5, 1.5], inkOf(blank));
  assert.deepEqual([...values.subarray(0, 3)], [1, 1, 0.25]);
  assert.equal(values[8], 0.5);
  assert.equal(values[3], 0.25);
});
