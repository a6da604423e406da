/** The traits that Python and the browser share, and what its messages hold beside their arrays. */

import { number, percent } from "../_shared/format";
import type { ProgressState } from "../_shared/progress";

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

export interface OccluderState extends ProgressState {
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

export function valueText(value: number | null, unit: Unit): string {
  if (value === null || Number.isNaN(value)) return "NaN";
  return unit === "probability" ? percent(value) : number(value);
}

const LEAST = 0.1;

/** Percentage points, so that small ones keep a digit: 25.5 points, 0.03 points. */
function pointsText(size: number): string {
  const points = 100 * size;
  const digits =
    points >= LEAST ? points.toFixed(1) : points >= 1e-4 ? String(Number(points.toPrecision(1))) : number(points);
  return `${points === 0 ? "0" : digits} points`;
}

/** Whether a change, as a magnitude, is too small to be seen among the others' digits. */
export function hardlyMoves(size: number, unit: Unit): boolean {
  return unit === "probability" && 100 * size < LEAST;
}

/** "mean colour", "#ff0000" */
export function fillText(fill: Fill, color = ""): string {
  return fill === "color" ? color : (FILLS.find(([own]) => own === fill)?.[1].toLowerCase() ?? fill);
}

export function placesText(count: number): string {
  return `${count} ${count === 1 ? "place" : "places"}`;
}

/** A difference with its sign; of probabilities in percentage points: +25.5 points, −3.0 points. */
export function signedText(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "unknown";
  const size = unit === "probability" ? pointsText(Math.abs(value)) : number(Math.abs(value));
  return value === 0 ? size : `${value > 0 ? "+" : "−"}${size}`;
}

/** "tiger cat 37.9 % → 12.4 %" */
export function changeText([, name, before, after]: ScoreRow, unit: Unit): string {
  return `${name} ${valueText(before, unit)} → ${valueText(after, unit)}`;
}

export function rowOf(scores: Scores, index: number): ScoreRow | null {
  return scores.rows.find(([own]) => own === index) ?? null;
}

/** "now: Egyptian cat"; empty while the predicted class is what it was. */
export function nowText(scores: Scores): string {
  if (scores.now === scores.first) return "";
  const row = rowOf(scores, scores.now);
  return row ? `now: ${row[1]}` : "";
}

export function spoken(scores: Scores): string {
  const row = rowOf(scores, scores.target);
  return [row ? changeText(row, scores.unit) : "", nowText(scores)].filter(Boolean).join("; ");
}
