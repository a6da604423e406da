/** Which maps share a scale, and what can be said of the colours then. */
import { type HeatView, scaleFor } from "../_maps/heat";
import type { ColouringState, Method } from "../_maps/scale";
import type { ProgressState } from "../_shared/progress";

export type Mode = "own" | "method" | "all";

/** The synced traits of Comparison; widget.py says what each means. */
export interface ComparisonState extends ColouringState, ProgressState {
  methods: Method[];
  layers: string[];
  layer: string;
  classes: [index: number, label: string][];
  chosen_methods: string[];
  chosen_layers: string[];
  chosen_classes: number[];
  axis: "layers" | "classes";
  scale: Mode;
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

export interface ScaledMap {
  view: HeatView;
  /** Percent of its places that may lie past the end of a scale of its own. */
  clip: number;
  unit: string;
}

export interface SharedScale {
  /** The value painted with the last colour. */
  limit: number;
  /** Some value of the maps on this scale lies past its end. */
  clipped: boolean;
}

/** The scale that `maps` share: the largest of their own. */
export function shared(maps: readonly (ScaledMap | null)[]): SharedScale {
  const present = maps.filter((map) => map !== null);
  const limit = Math.max(0, ...present.map(({ view, clip }) => scaleFor(view, clip).limit));
  return { limit, clipped: present.some(({ view }) => view.limit > limit) };
}

/** The scale of each map of a grid; null where there is none. */
export function scalesOf(rows: Cells<ScaledMap | null>, mode: Mode): (SharedScale | null)[][] {
  const all = shared(rows.flat());
  return rows.map((row) => {
    const own = shared(row);
    return row.map((map) => map && (mode === "own" ? shared([map]) : mode === "method" ? own : all));
  });
}

/** A map whose largest number is under this share of its scale's end looks empty. */
const FAINT = 0.1;

export interface Remark {
  text: string;
  /** The colours invite a conclusion that the numbers do not carry. */
  warn: boolean;
}

/** What the scales allow to compare, for the reader. */
export function wordsOf(rows: Cells<ScaledMap | null>, mode: Mode): Remark[] {
  const present = rows.flat().filter((map) => map !== null);
  if (present.length === 0) return [];
  const units = [...new Set(present.map(({ unit }) => unit || "a method of your own"))];
  const remarks = [remarkOn(mode, units)];
  const faint = scalesOf(rows, mode).some((row, i) =>
    row.some((scale, j) => scale && rows[i]![j]!.view.limit < FAINT * scale.limit),
  );
  if (faint) {
    const text = "Maps that look empty have small numbers, written under them; “Scale per map” shows where they are.";
    remarks.push({ text, warn: false });
  }
  const clips = present.filter(({ view, clip }) => scaleFor(view, clip).clip > 0).map(({ clip }) => clip);
  if (clips.length > 0) {
    const largest = `Of each input gradient the ${Number(Math.max(...clips).toFixed(2))} % largest values`;
    const text = `${largest} may lie past the end of the scale (≥); they get its last colour.`;
    remarks.push({ text, warn: false });
  }
  return remarks;
}

const REMARKS: Record<Mode, string> = {
  own: "Each map has a scale of its own, written under it: compare places, not colours.",
  method: "The maps of one method share a scale: compare colours within a method, not between two.",
  all: "All maps share one scale: the same colour is the same number.",
};

function remarkOn(mode: Mode, units: readonly string[]): Remark {
  if (mode !== "all" || units.length < 2) return { text: REMARKS[mode], warn: false };
  const differ = `All maps share one scale, though they measure different things (${units.join("; ")})`;
  return { text: `${differ}: compare places, not colours.`, warn: true };
}

/** Whether there are several maps and all hold the very same numbers. */
export function allSame(maps: readonly (ScaledMap | null)[]): boolean {
  const [first, ...others] = maps;
  if (!first || others.length === 0) return false;
  const { raw } = first.view;
  return others.every(
    (map) =>
      map !== null && map.view.raw.length === raw.length && map.view.raw.every((value, i) => Object.is(value, raw[i])),
  );
}

export function unitsOf(maps: readonly (ScaledMap | null)[]): string {
  return [...new Set(maps.map((map) => map?.unit ?? "").filter(Boolean))].join("; ");
}
