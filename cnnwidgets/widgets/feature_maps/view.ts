/** Everything a repaint needs, worked out once from the traits and the newest data. */
import type { ColormapName } from "../_maps/colormaps";
import type { Contribution, Maps } from "./maps";
import { farthest, order, quantity, type Sort } from "./order";
import type { FeatureMapsState } from "./state";

export interface MapsView {
  maps: Maps;
  contribution: Contribution | null;
  scale: FeatureMapsState["scale"];
  colormap: ColormapName;
  cellSize: FeatureMapsState["cell_size"];
  /** Channels, first to last. */
  order: number[];
  /** Where each channel stands in `order`. */
  position: number[];
  /** What the bars show: what the maps are sorted by, or the maximum. */
  quantity: ArrayLike<number>;
  quantityName: string;
  longest: number;
}

const NAMES: Record<Sort, string> = {
  index: "maximum",
  maximum: "maximum",
  mean: "mean",
  zeros: "share of zeros",
  contribution: "contribution",
};

export function makeView(
  maps: Maps,
  contribution: Contribution | null,
  get: <K extends keyof FeatureMapsState>(name: K) => FeatureMapsState[K],
): MapsView {
  const sort = get("sort");
  const by = quantity(maps, contribution, sort);
  const sorted = order(maps.count, sort === "index" ? null : by);
  const position = new Array<number>(maps.count);
  for (const [at, channel] of sorted.entries()) position[channel] = at;
  const values = by ?? maps.maximum;
  return {
    maps,
    contribution,
    // Each map of one value has that value as both its ends: only the layer's range tells them apart.
    scale: maps.height * maps.width === 1 ? "layer" : get("scale"),
    colormap: get("colormap"),
    cellSize: get("cell_size"),
    order: sorted,
    position,
    quantity: values,
    quantityName: NAMES[by ? sort : "maximum"],
    longest: farthest(values),
  };
}
