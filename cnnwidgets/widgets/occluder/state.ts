/** The traits that Python and the browser share, and what its messages hold beside their arrays. */
import type { BaseState } from "../_shared/model";

export type Fill = "grey" | "mean" | "blur" | "black" | "color" | "copy";

/** In pixels of the picture; may reach over its edge. */
export interface Patch {
  top: number;
  left: number;
  height: number;
  width: number;
  fill: Fill;
  /** "#rrggbb", of the fill "color". */
  color?: string;
  /** [top, left] of the place that is copied, of the fill "copy". */
  source?: [number, number];
}

export type SweepView = "drop" | "class" | "counts";

export interface OccluderState extends BaseState {
  patches: Patch[];
  selected: number | null;
  fill: Fill;
  color: string;
  size: number;
  stride: number | null;
  view: SweepView;
  with_heat: boolean;
  target_name: string;
  connected: boolean;
  can_sweep: boolean;
  sweep: "none" | "running" | "done" | "stopped";
  sweep_text: string;
  progress: number | null;
  progress_text: string;
  notes: string[];
}

export type Unit = "probability" | "score";

/** A class: its index, its name, its score before and after; null where that is not a number. */
export type ScoreRow = [index: number, name: string, before: number | null, after: number | null];

export interface Scores {
  rows: ScoreRow[];
  /** Indices of classes: the one explained, the one predicted before, and now. */
  target: number;
  first: number;
  now: number;
  unit: Unit;
}

export interface SweepContent {
  classes: number[];
  baseline: (number | null)[];
  names: Record<string, string>;
  patch: [number, number];
  first: number | null;
  unit: Unit;
  target: string;
  fill: Fill;
  color: string;
}

export const FILLS: readonly (readonly [Fill, string])[] = [
  ["grey", "Grey"],
  ["mean", "Mean colour"],
  ["blur", "Blur"],
  ["black", "Black"],
  ["color", "Colour"],
  ["copy", "Copy of another place"],
];
