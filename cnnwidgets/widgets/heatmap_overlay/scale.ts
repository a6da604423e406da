/** From a map's numbers to its scale, and to what has to be said about them. */
import { number, percent } from "../_shared/format";
import type { Sign } from "./state";

export interface Stats {
  /** Of the finite values; NaN if there is none. */
  min: number;
  max: number;
  total: number;
  nan: number;
  infinite: number;
}

export function statsOf(values: Float32Array): Stats {
  let min = Infinity;
  let max = -Infinity;
  let nan = 0;
  let infinite = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (value !== value) nan += 1;
    else if (value === Infinity || value === -Infinity) infinite += 1;
    else {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (min > max) min = max = NaN;
  return { min, max, total: values.length, nan, infinite };
}

/** The value painted with the last colour; 0 where that side of the map is empty and there is nothing to paint. */
export function limitOf({ min, max }: Stats, sign: Sign): number {
  if (Number.isNaN(min)) return 0;
  if (sign === "signed") return Math.max(Math.abs(min), Math.abs(max));
  return Math.max(sign === "positive" ? max : -min, 0);
}

/** The part of the map that `sign` shows: max(v, 0), max(−v, 0) or v. What is not finite becomes NaN. */
export function partOf(values: Float32Array, sign: Sign): Float32Array {
  const part = new Float32Array(values.length);
  const factor = sign === "negative" ? -1 : 1;
  const least = sign === "signed" ? -Infinity : 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]! * factor;
    // The difference is NaN for what is not finite.
    part[i] = value - value !== 0 ? NaN : value > least ? value : least;
  }
  return part;
}

/** numpy.percentile(|values|, percent) of the finite ones, linear between two; NaN if there is none. */
export function percentileOf(values: Float32Array, percent: number): number {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  const place = ((sizes.length - 1) * percent) / 100;
  const low = Math.floor(place);
  const least = sizes[low] ?? NaN;
  return least + ((sizes[low + 1] ?? least) - least) * (place - low);
}

export interface Scale {
  /** The value painted with the last colour; 0 where there is nothing to paint. */
  limit: number;
  /** Percent of the places, those of the largest magnitudes, that all get that colour. */
  clip: number;
  /** So few places differ from 0 that clipping would have left nothing but them. */
  sparse: boolean;
}

/** The scale of `part`, whose largest magnitude is `limit`, with `clip` percent of its places past the end. */
export function scaleOf(part: Float32Array, limit: number, clip: number): Scale {
  const whole = { limit, clip: 0, sparse: false };
  if (clip <= 0 || limit === 0) return whole;
  const end = percentileOf(part, 100 - clip);
  if (end === 0) return { ...whole, sparse: true };
  return end < limit ? { limit: end, clip, sparse: false } : whole;
}

/** The numbers at the left, the middle and the right of the colour bar, in the map's own unit. */
export function barLabels(limit: number, sign: Sign, clipped = false): [string, string, string] {
  if (limit === 0) return ["", "", ""];
  const [under, over] = clipped ? ["≤ ", "≥ "] : ["", ""];
  if (sign === "signed") return [`${under}${number(-limit)}`, "0", `${over}+${number(limit)}`];
  return ["0", "", sign === "positive" ? `${over}${number(limit)}` : `${under}${number(-limit)}`];
}

/** What was done to the scale; null where nothing was. */
export function clipSentence({ limit, clip, sparse }: Scale, wanted: number, largest: number): Sentence | null {
  const amount = `${Number((sparse ? wanted : clip).toFixed(2))} %`;
  if (sparse) return { level: "info", text: `Not clipped: fewer than ${amount} of the places differ from 0.` };
  if (clip === 0) return null;
  const text = `The ${amount} largest values are drawn as the largest colour, ${number(limit)}; the largest is ${number(largest)}.`;
  return { level: "info", text };
}

export interface Sentence {
  level: "ok" | "warn" | "info";
  text: string;
  /** The view that shows more. */
  see?: Sign;
}

/** What the colours alone would not tell. */
export function sentencesOf(stats: Stats, sign: Sign, partial: boolean): Sentence[] {
  const { min, max, total, nan, infinite } = stats;
  const said: Sentence[] = [];
  const broken = infinite + (partial ? 0 : nan);
  if (broken === total) return [{ level: "warn", text: "No value of the map is a finite number: it shows nothing." }];
  if (broken > 0) {
    const which = broken === 1 ? "is not a finite number" : "are not finite numbers";
    said.push({ level: "warn", text: `${broken} of ${total} values ${which} (NaN or infinity); hatched in magenta.` });
  }
  if (partial) {
    const known = `${percent((total - nan) / total)} of the map is known; the rest is hatched.`;
    said.push({ level: "info", text: nan > 0 ? known : "This map is not final." });
    return said;
  }
  const shows = sign === "positive" ? max > 0 : sign === "negative" ? min < 0 : true;
  if (min === 0 && max === 0) said.push({ level: "warn", text: "The map is zero everywhere." });
  else if (!shows && sign === "positive") {
    const how = max < 0 ? "negative everywhere" : "nowhere positive";
    said.push({ level: "warn", text: `The map is ${how}: nothing speaks for this class here.`, see: "signed" });
  } else if (!shows) {
    const text = "The map is nowhere negative: nothing speaks against this class here.";
    said.push({ level: "warn", text, see: "positive" });
  } else if (min === max && total > 1) {
    said.push({ level: "warn", text: `The map is ${number(min)} everywhere: no place stands out.` });
  }
  return said;
}

const clauseOf = (text: string) => text.toLowerCase().replace(/^the /, "").split(/[:.]/, 1)[0]!;

/** Python's notes after the panel's own sentences, without those that say what one of these says already. */
export function once(own: readonly Sentence[], notes: readonly Sentence[]): Sentence[] {
  const said = own.map(({ text }) => clauseOf(text));
  return [...own, ...notes.filter(({ text }) => !said.some((clause) => clauseOf(text).startsWith(clause)))];
}
