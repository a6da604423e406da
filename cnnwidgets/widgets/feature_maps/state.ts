/** The synced traits; widget.py says what each means. */
import type { ColormapName } from "../_shared/colormaps";
import type { BaseState } from "../_shared/model";
import type { Sort } from "./order";

export interface State extends BaseState {
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
