/** The synced traits; widget.py says what each means. */
import type { ColormapName } from "../_maps/colormaps";
import type { BaseState } from "../_shared/model";
import type { Sort } from "./order";

export interface FeatureMapsState extends BaseState {
  layer: string;
  channel: number | null;
  sort: Sort;
  scale: "map" | "layer";
  colormap: ColormapName;
  cell_size: "small" | "medium" | "large";
  opacity: number;
  smooth: boolean;
  switchable: boolean;
  off: number[];
  effect: string;
}
