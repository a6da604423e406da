import assert from "node:assert/strict";
import { test } from "node:test";
import { farthest } from "../../../cnnwidgets/widgets/_maps/scale";
import {
  ends,
  type FeatureMapsState,
  levelsOf,
  levelValue,
  type Maps,
  makeView,
  order,
  quantity,
  readMaps,
  share,
  span,
} from "../../../cnnwidgets/widgets/feature_maps/view";

function three(): Maps {
  const floats = (...values: number[]) => ({ data: new Float32Array(values), shape: [values.length] });
  const maps = readMaps({
    kind: "maps",
    id: 7,
    content: { layer: "conv1", notes: ["n"], receptive_field: [75, 60] },
    arrays: {
      maps: { data: new Uint8Array([0, 127, 254, 255, 0, 254, 255, 255]), shape: [4, 1, 2] },
      minimum: floats(-2, 1, 0, Number.NaN),
      maximum: floats(2, 1, 8, Number.NaN),
      mean: floats(0, 1, 4, Number.NaN),
      zeros: floats(0.5, 0, 0.5, 0),
    },
  });
  assert.ok(maps);
  return maps;
}

test("a push of maps is read whole, one with a message is no maps", () => {
  const maps = three();
  assert.deepEqual([maps.id, maps.layer, maps.count, maps.height, maps.width], [7, "conv1", 4, 1, 2]);
  assert.deepEqual([maps.field, maps.notes, maps.lowest, maps.highest], [[75, 60], ["n"], -2, 8]);
  assert.equal(readMaps({ kind: "maps", id: 1, content: { message: "no" }, arrays: {} }), null);
});

test("a level stands for minimum + level / 254 of the range", () => {
  const maps = three();
  assert.deepEqual([...levelsOf(maps, 1)], [254, 255]);
  assert.deepEqual(
    [0, 127, 254].map((level) => levelValue(maps, 0, level)),
    [-2, 0, 2],
  );
  assert.ok(Number.isNaN(levelValue(maps, 0, 255)));
});

test("the colours span the map, the layer, or both sides of zero", () => {
  const maps = three();
  assert.deepEqual(span(maps, 0, "map", "inferno"), [-2, 2]);
  assert.deepEqual(span(maps, 0, "layer", "inferno"), [-2, 8]);
  assert.deepEqual(span(maps, 2, "map", "blue-red"), [-8, 8]);
  assert.deepEqual(span(maps, 0, "layer", "purple-green"), [-8, 8]);
});

test("a map's ends lie where its values lie on the span", () => {
  const maps = three();
  assert.deepEqual(ends(maps, 2, [-8, 8]), [0.5, 1]);
  assert.deepEqual(ends(maps, 0, [-2, 8]), [0, 0.4]);
  assert.deepEqual(ends(maps, 1, [1, 1]), [0, 0]);
});

test("largest first, equals by index, NaN last", () => {
  assert.deepEqual(order(5, [1, Number.NaN, 3, 1, Number.NEGATIVE_INFINITY]), [2, 0, 3, 1, 4]);
  assert.deepEqual(order(3, null), [0, 1, 2]);
});

test("what is sorted by is what the bars show", () => {
  const maps = three();
  assert.equal(quantity(maps, null, "index"), maps.maximum);
  assert.equal(quantity(maps, null, "zeros"), maps.zeros);
  assert.equal(quantity(maps, null, "contribution"), null);
  assert.equal(farthest([-4, 3, Number.NaN, Number.POSITIVE_INFINITY]), 4);
  assert.deepEqual([share(-1, 4), share(4, 4), share(Number.NaN, 4), share(0, 0)], [-0.25, 1, 0, 0]);
});

test("a view by contribution falls back to the index while none is known", () => {
  const maps = three();
  const traits: Partial<FeatureMapsState> = {
    sort: "contribution",
    scale: "map",
    colormap: "inferno",
    cell_size: "medium",
  };
  const get = <K extends keyof FeatureMapsState>(name: K) => traits[name] as FeatureMapsState[K];
  const without = makeView(maps, null, get);
  assert.deepEqual([without.order, without.quantityName], [[0, 1, 2, 3], "maximum"]);
  const values = new Float32Array([0, -3, 2, 1]);
  const known = makeView(maps, { values, target: "cat" }, get);
  assert.deepEqual([known.order, known.quantityName, known.longest], [[2, 3, 0, 1], "contribution", 3]);
  assert.deepEqual(known.position, [2, 3, 0, 1]);
});
