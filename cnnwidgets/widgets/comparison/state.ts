import type { Method, Sign } from "../_maps/state";
import type { BaseState } from "../_shared/model";

/** Which maps share a scale. */
export type Mode = "own" | "method" | "all";

/** The synced traits of Comparison; widget.py says what each means. */
export interface ComparisonState extends BaseState {
  methods: Method[];
  layers: string[];
  layer: string;
  classes: [index: number, label: string][];
  chosen_methods: string[];
  chosen_layers: string[];
  chosen_classes: number[];
  axis: "layers" | "classes";
  scale: Mode;
  sign: Sign;
  clip: number;
  opacity: number;
  colormap: string;
  diverging: string;
  progress: number | null;
  progress_text: string;
}

export interface GridRow {
  label: string;
  note: string;
  /** One map instead of one a column. */
  single: boolean;
}

/** The content of a "grid" push. */
export interface GridContent {
  id: number;
  rows: GridRow[];
  columns: string[];
  caption: string;
}

/** The content of a "cell:row:column" push beside its arrays. */
export interface CellContent {
  grid: number;
  reason?: string;
  notes?: string[];
  unit?: string;
  channels?: number;
}

/** Something for each cell: row by row, one or one a column. */
export type Cells<T> = readonly (readonly T[])[];
