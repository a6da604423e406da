/** What the stepper says, and the kernels that it offers. */
import { number } from "../_shared/format";
import type { ChannelTerm, Operation, Setup } from "./sliding";

export const OPERATIONS = [
  ["conv", "Convolution"],
  ["max", "Max pooling"],
  ["avg", "Average pooling"],
] as const satisfies readonly (readonly [Operation, string])[];

export const SPEEDS = [
  ["slow", "slow"],
  ["normal", "normal"],
  ["fast", "fast"],
] as const;

/** Milliseconds from step to step. */
export const PAUSES: Record<(typeof SPEEDS)[number][0], number> = { slow: 1000, normal: 250, fast: 62 };

export const PRESETS: Record<string, number[]> = {
  "vertical edges": [1, 0, -1, 1, 0, -1, 1, 0, -1],
  "horizontal edges": [1, 1, 1, 0, 0, 0, -1, -1, -1],
  outlines: [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  blur: [1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9],
  "no change": [0, 0, 0, 0, 1, 0, 0, 0, 0],
};

/** A number for a small cell: at most five letters. 0.25, −1.5, 123, 2e-4; "0" is exactly 0. */
export function brief(value: number): string {
  if (!Number.isFinite(value)) return number(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size < 0.005 || size >= 9999.5) return sign + size.toExponential(0).replace("e+", "e");
  const text = size.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
  return sign + (text.includes(".") ? text.replace(/0+$/u, "").replace(/\.$/u, "") : text);
}

const MOST = 6;

/** "channel 3" of a number, "red" as it is. */
function channelName(name: string): string {
  return /^\d+$/u.test(name) ? `channel ${name}` : name;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"} ${number(Math.abs(value))}`;
}

/** How an output cell was made, in one line. */
export function stepSentence(
  setup: Setup,
  terms: readonly ChannelTerm[],
  names: readonly string[],
  channel: number,
): string {
  const { operation, bias } = setup;
  const own = terms[channel];
  if (!own) return "";
  const count = own.patch.length;
  if (operation === "max") return `The largest of ${count} numbers is ${number(own.added)}`;
  if (operation === "avg") return `${number(own.added * count)} (their sum) ÷ ${count} = ${number(own.added)}`;
  const total = terms.reduce((sum, { added }) => sum + added, bias);
  const start = bias === 0 ? "" : `${number(bias)} (bias) `;
  if (terms.length === 1) {
    const products = `${number(own.added)} (sum of ${count} ${count === 1 ? "product" : "products"})`;
    if (!start) return `${products} = ${number(total)}`;
    return `${products} ${signed(bias)} (bias) = ${number(total)}`;
  }
  const order = terms.map((_, at) => at).sort((a, b) => Math.abs(terms[b]!.added) - Math.abs(terms[a]!.added) || a - b);
  const strongest = terms.length > MOST + 1 ? order.slice(0, MOST).sort((a, b) => a - b) : order.sort((a, b) => a - b);
  const parts = strongest.map((at) => `${signed(terms[at]!.added)} (${channelName(names[at] ?? String(at))})`);
  const rest = total - bias - strongest.reduce((sum, at) => sum + terms[at]!.added, 0);
  if (strongest.length < terms.length)
    parts.push(`${signed(rest)} (${terms.length - strongest.length} other channels)`);
  return `${start}${start ? parts.join(" ") : parts.join(" ").replace(/^\+ /u, "").replace(/^− /u, "−")} = ${number(total)}`;
}
