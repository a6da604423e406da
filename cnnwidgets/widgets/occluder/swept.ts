/** What came out of a sweep: its scale, its classes, and what it says of one place. Pure functions. */
import type { Data } from "../_shared/view";
import { nearestPlace, starts } from "./geometry";
import {
  changeText,
  type Fill,
  fillText,
  type Patch,
  type ScoreRow,
  type Scores,
  type SweepContent,
  signedText,
} from "./state";

export interface Swept extends SweepContent {
  id: number;
  rows: number;
  columns: number;
  tops: Int32Array;
  lefts: Int32Array;
  drop: Float32Array;
  predicted: Int32Array;
  known: Uint8Array;
  /** (rows, columns, classes), or null. */
  scores: Float32Array | null;
}

/** The sweep in a push; null if it holds none. */
export function sweptOf(data: Data): Swept | null {
  const { drop, predicted, tops, lefts, known, scores } = data.arrays;
  if (!drop || !predicted || !tops || !lefts || !known) return null;
  return {
    ...(data.content as unknown as SweepContent),
    id: data.id,
    rows: tops.data.length,
    columns: lefts.data.length,
    tops: tops.data as Int32Array,
    lefts: lefts.data as Int32Array,
    drop: drop.data as Float32Array,
    predicted: predicted.data as Int32Array,
    known: known.data as Uint8Array,
    scores: (scores?.data as Float32Array | undefined) ?? null,
  };
}

export interface ClassCount {
  index: number;
  name: string;
  places: number;
}

function className({ names }: Pick<Swept, "names">, index: number): string {
  return names[index] ?? `class ${index}`;
}

/** How often each class is predicted, the most frequent first; of equals the lower index. */
export function countsOf(swept: Pick<Swept, "predicted" | "names">): ClassCount[] {
  const counts = new Map<number, number>();
  for (const index of swept.predicted) if (index >= 0) counts.set(index, (counts.get(index) ?? 0) + 1);
  return [...counts]
    .map(([index, places]) => ({ index, name: className(swept, index), places }))
    .sort((a, b) => b.places - a.places || a.index - b.index);
}

export const FIRST_COLOUR = "#8fa3b8";
const COLOURS = ["#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#7a5195", "#a0522d"];
export const OTHER_COLOUR = "#555555";

/** A colour for each class, kept while the map refines: the class of the whole picture has a quiet one. */
export function classColours(
  counts: readonly ClassCount[],
  first: number | null,
  before: ReadonlyMap<number, string> = new Map(),
): Map<number, string> {
  const colours = new Map(before);
  const free = COLOURS.filter((colour) => ![...colours.values()].includes(colour));
  for (const { index } of counts) {
    if (colours.has(index)) continue;
    colours.set(index, index === first ? FIRST_COLOUR : (free.shift() ?? OTHER_COLOUR));
  }
  return colours;
}

/** The place under pixel (row, column), as an index into the grid. */
export function placeAt(swept: Swept, size: readonly [number, number], row: number, column: number): number {
  const down = nearestPlace(swept.tops, swept.patch[0], size[0])[row] ?? 0;
  return down * swept.columns + (nearestPlace(swept.lefts, swept.patch[1], size[1])[column] ?? 0);
}

export function patchAt(swept: Swept, position: number): Patch {
  const [height, width] = swept.patch;
  const patch: Patch = {
    top: swept.tops[Math.floor(position / swept.columns)]!,
    left: swept.lefts[position % swept.columns]!,
    height,
    width,
    fill: swept.fill,
  };
  return swept.fill === "color" ? { ...patch, color: swept.color } : patch;
}

const LISTED = 5;

/** The bars at one place: the best classes of the whole picture, and those that matter here; null without scores. */
export function scoresAt(swept: Swept, position: number): Scores | null {
  const { classes, baseline, scores } = swept;
  const [target] = classes;
  if (!scores || target === undefined) return null;
  const all = classes.map((index, k): ScoreRow => {
    const after = scores[position * classes.length + k]!;
    return [index, className(swept, index), baseline[k]!, Number.isFinite(after) ? after : null];
  });
  const byBefore = all.sort((a, b) => (b[2] ?? Number.NEGATIVE_INFINITY) - (a[2] ?? Number.NEGATIVE_INFINITY));
  const now = swept.predicted[position]!;
  const rows = byBefore.filter(([index], i) => i < LISTED || index === target || index === now);
  return { rows, target, first: swept.first ?? byBefore[0]![0], now, unit: swept.unit };
}

/** The line under the map. */
export function readingAt(swept: Swept, position: number): string {
  const { top, left } = patchAt(swept, position);
  const drop = swept.drop[position]!;
  const index = swept.predicted[position]!;
  const name = index >= 0 ? className(swept, index) : "class unknown";
  const { unit, target } = swept;
  const before = swept.baseline[0] ?? Number.NaN;
  const after = Math.max(before - drop, unit === "probability" ? 0 : Number.NEGATIVE_INFINITY);
  const change = Number.isFinite(after) ? changeText([0, target, before, after], unit) : target;
  const how = swept.known[position] ? "" : ", estimated";
  return `y ${top}, x ${left}: ${change} (drop ${signedText(drop, unit)}${how}); ${name}`;
}

/** What made it: "32 px patch, stride 16, grey fill". */
export function madeOf({ patch: [height, width], tops, lefts, fill, color }: Swept): string {
  // The last place is flush with the edge, and may be nearer to the one before.
  const steps = [tops, lefts].flatMap((begins) => Array.from(begins.subarray(1), (at, i) => at - begins[i]!));
  const size = height === width ? `${height}` : `${height} × ${width}`;
  const stride = steps.length > 0 ? `, stride ${Math.max(...steps)}` : "";
  return `${size} px patch${stride}, ${fillText(fill, color)} fill`;
}

export interface Settings {
  size: number;
  stride: number;
  fill: Fill;
  color: string;
}

/** Whether a sweep with these settings would put the same patch at the same places. */
export function isMadeWith(
  swept: Swept,
  { size, stride, fill, color }: Settings,
  [height, width]: readonly [number, number],
): boolean {
  const same = (begins: Int32Array, side: number) => String([...begins]) === String(starts(side, size, stride));
  const shows = fill === swept.fill && (fill !== "color" || color === swept.color);
  return shows && swept.patch.every((side) => side === size) && same(swept.tops, height) && same(swept.lefts, width);
}

/** The next place for a key; null if it is none of the map's keys. */
export function nextPlace(swept: Pick<Swept, "rows" | "columns">, position: number, key: string): number | null {
  const { rows, columns } = swept;
  const [row, column] = [Math.floor(position / columns), position % columns];
  const targets = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, columns - 1],
    PageUp: [0, column],
    PageDown: [rows - 1, column],
  } as const;
  if (!Object.hasOwn(targets, key)) return null;
  const [toRow, toColumn] = targets[key as keyof typeof targets];
  return Math.min(Math.max(toRow, 0), rows - 1) * columns + Math.min(Math.max(toColumn, 0), columns - 1);
}
