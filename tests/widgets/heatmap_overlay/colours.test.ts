import assert from "node:assert/strict";
import { test } from "node:test";
import { channelsAt, coloursOf, mix, planes } from "../../../cnnwidgets/widgets/heatmap_overlay/colours";

const push = (values: number[], shape: number[], map = 7) => ({
  kind: "colours",
  id: 8,
  content: { map },
  arrays: { colours: { data: Float32Array.from(values), shape } },
});

test("channels of another map are not shown", () => {
  const data = push([1, -2, 0.5], [3, 1, 1]);
  assert.equal(coloursOf(data, 6), null);
  assert.equal(coloursOf(null, 7), null);
  assert.deepEqual(coloursOf(data, 7), { size: [1, 1], part: Float32Array.of(1, -2, 0.5), limit: 2 });
});

test("0 is mid grey, the limit white or black, past it no more", () => {
  const bytes = new Uint8ClampedArray(12);
  mix([Float32Array.of(0, 2, -9), Float32Array.of(0, 1, -2), Float32Array.of(0, -2, 9)], 2, [255, 0, 255], bytes);
  assert.deepEqual([...bytes], [128, 128, 128, 255, 255, 191, 0, 255, 0, 0, 255, 255]);
});

test("a place where one channel is not finite is a hole in all", () => {
  const colours = coloursOf(push([1, Number.NaN, 3, 4, 5, 6], [3, 1, 2]), 7)!;
  const three = planes(colours, [1, 2], true);
  assert.deepEqual(
    three.map((plane) => [...plane]),
    [
      [1, Number.NaN],
      [3, Number.NaN],
      [5, Number.NaN],
    ],
  );
  assert.equal(colours.part[3], 4, "the data themselves stay");
  const bytes = new Uint8ClampedArray(8);
  mix(three, colours.limit, [255, 0, 255], bytes);
  assert.deepEqual([...bytes.slice(4)], [255, 0, 255, 255]);
});

test("the tooltip has all three", () => {
  const colours = coloursOf(push([1, -2, 0.5, 0, 0, 0], [3, 1, 2]), 7)!;
  assert.deepEqual(channelsAt(colours, [1, 2], 0, 1), ["red −2.00", "green 0", "blue 0", "row 0, column 1"]);
});
