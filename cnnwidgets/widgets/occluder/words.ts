/** Numbers and sentences for the reader. */
import { number, percent } from "../_shared/format";
import type { Row, Scores, Unit } from "./state";

export function valueText(value: number | null, unit: Unit): string {
  if (value === null || Number.isNaN(value)) return "NaN";
  return unit === "probability" ? percent(value) : number(value);
}

/** With its sign: +25.5 %, −3.0 %. */
export function signedText(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "unknown";
  const size = valueText(Math.abs(value), unit);
  return value === 0 ? size : `${value > 0 ? "+" : "−"}${size}`;
}

/** "tiger cat 37.9 % → 12.4 %" */
export function changeText([, name, before, after]: Row, unit: Unit): string {
  return `${name} ${valueText(before, unit)} → ${valueText(after, unit)}`;
}

export function rowOf(scores: Scores, index: number): Row | null {
  return scores.rows.find(([own]) => own === index) ?? null;
}

/** "now: Egyptian cat"; empty while the predicted class is what it was. */
export function nowText(scores: Scores): string {
  if (scores.now === scores.first) return "";
  const row = rowOf(scores, scores.now);
  return row ? `now: ${row[1]}` : "";
}

/** What is read aloud. */
export function spoken(scores: Scores): string {
  const row = rowOf(scores, scores.target);
  const change = row ? changeText(row, scores.unit) : "";
  const now = nowText(scores);
  return now ? `${change}; ${now}` : change;
}
