/** Which maps share a scale, and what can be said of the colours then. */
import { scaleFor, type View } from "../heatmap_overlay/heat";
import type { Mode } from "./state";

/** A map that is there. */
export interface Shown {
  view: View;
  /** Percent of its places that may lie past the end of a scale of its own. */
  clip: number;
  unit: string;
}

export interface Shared {
  /** The value painted with the last colour. */
  limit: number;
  /** Some value of the maps on this scale lies past its end. */
  clipped: boolean;
}

/** The scale that `maps` share: the largest of their own. */
export function shared(maps: readonly (Shown | null)[]): Shared {
  const there = maps.filter((map) => map !== null);
  const limit = Math.max(0, ...there.map(({ view, clip }) => scaleFor(view, clip).limit));
  return { limit, clipped: there.some(({ view }) => view.limit > limit) };
}

/** The scale of each map of a grid; null where there is none. */
export function scalesOf(rows: readonly (readonly (Shown | null)[])[], mode: Mode): (Shared | null)[][] {
  const all = shared(rows.flat());
  return rows.map((row) => {
    const own = shared(row);
    return row.map((map) => map && (mode === "own" ? shared([map]) : mode === "method" ? own : all));
  });
}

/** A map whose largest number is under this share of its scale's end looks empty. */
const FAINT = 0.1;

export interface Words {
  text: string;
  /** The colours invite a conclusion that the numbers do not carry. */
  warn: boolean;
}

/** What the scales allow to compare, for the reader. */
export function wordsOf(rows: readonly (readonly (Shown | null)[])[], mode: Mode): Words[] {
  const there = rows.flat().filter((map) => map !== null);
  if (there.length === 0) return [];
  const units = [...new Set(there.map(({ unit }) => unit || "a method of your own"))];
  const words: Words[] = [];
  if (mode === "own")
    words.push({
      text: "Each map has a scale of its own, written under it: compare places, not colours.",
      warn: false,
    });
  else if (mode === "method") {
    words.push({
      text: "The maps of one method share a scale: compare colours within a method, not between two.",
      warn: false,
    });
  } else if (units.length > 1) {
    const text = `All maps share one scale, though they measure different things (${units.join("; ")}): compare places, not colours.`;
    words.push({ text, warn: true });
  } else words.push({ text: "All maps share one scale: the same colour is the same number.", warn: false });
  const faint = scalesOf(rows, mode).some((row, i) =>
    row.some((scale, j) => scale && rows[i]![j]!.view.limit < FAINT * scale.limit),
  );
  if (faint)
    words.push({
      text: "Maps that look empty have small numbers, written under them; “Scale per map” shows where they are.",
      warn: false,
    });
  const clips = there.filter(({ view, clip }) => scaleFor(view, clip).clip > 0).map(({ clip }) => clip);
  if (clips.length > 0) {
    const amount = `${Number(Math.max(...clips).toFixed(2))} %`;
    words.push({
      text: `Of each input gradient the ${amount} largest values may lie past the end of the scale (≥); they get its last colour.`,
      warn: false,
    });
  }
  return words;
}

/** Whether there are several maps and all hold the very same numbers. */
export function allSame(maps: readonly (Shown | null)[]): boolean {
  const [first, ...others] = maps;
  if (!first || others.length === 0) return false;
  const { raw } = first.view;
  return others.every(
    (map) =>
      map !== null && map.view.raw.length === raw.length && map.view.raw.every((value, i) => Object.is(value, raw[i])),
  );
}
