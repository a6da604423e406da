/** The histogram of one map, as SVG. */
import { h, s } from "../_shared/dom";
import { number } from "../_shared/format";
import { levelsOf, type Maps } from "./maps";

export const BINS = 51;
const PER_BIN = 5;

export function histogram(levels: Uint8Array): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const level of levels) {
    if (level < 255) bins[Math.floor(level / PER_BIN)]! += 1;
  }
  return bins;
}

/**
 * The count that gets the full height. One bin that towers over the others (the zeros after a ReLU) would flatten
 * them to nothing, so it is cut at twice the second highest; the chart says so.
 */
export function fullHeight(bins: readonly number[]): number {
  const [first = 0, second = 0] = [...bins].sort((a, b) => b - a);
  return second > 0 && first > 4 * second ? 2 * second : first;
}

/** Lowest and highest value that falls into a bin, for a map between `low` and `high`. */
export function binEdges(bin: number, low: number, high: number): [number, number] {
  const at = (level: number) => low + (Math.min(254, Math.max(0, level)) / 254) * (high - low);
  return [at(bin * PER_BIN - 0.5), at(bin * PER_BIN + PER_BIN - 0.5)];
}

const WIDTH = 306;
const HEIGHT = 52;
const SOFT = "cnnw-under cnnw-small cnnw-soft";

export function chart(maps: Maps, channel: number): HTMLElement {
  const low = maps.minimum[channel] ?? Number.NaN;
  const high = maps.maximum[channel] ?? Number.NaN;
  if (!(high > low)) {
    const text = Number.isNaN(low) ? "No value of this map is finite." : `Every value is ${number(low)}.`;
    return h("p", { class: SOFT }, text);
  }
  const bins = histogram(levelsOf(maps, channel));
  const full = fullHeight(bins);
  const step = WIDTH / BINS;
  const svg = s("svg", {
    class: "fm-histogram",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `Histogram from ${number(low)} to ${number(high)}`,
  });
  let cut = "";
  bins.forEach((n, bin) => {
    if (n === 0) return;
    const [from, to] = binEdges(bin, low, high).map(number);
    const tall = Math.max(1, Math.min(1, n / full) * (HEIGHT - 2));
    const bar = { x: bin * step + 0.5, width: step - 1 };
    const title = s("title", {}, `${from} to ${to}: ${n} ${n === 1 ? "value" : "values"}`);
    svg.append(s("rect", { ...bar, y: HEIGHT - tall, height: tall }, title));
    if (n > full) {
      svg.append(s("rect", { ...bar, y: 8, height: 3, class: "fm-cut" }));
      cut = `The bar at ${from} to ${to} is cut off: ${n} of ${maps.height * maps.width} values.`;
    }
  });
  const zero = low < 0 && high > 0 ? -low / (high - low) : null;
  if (zero !== null) {
    svg.append(s("line", { class: "fm-zero", x1: zero * WIDTH, x2: zero * WIDTH, y1: 0, y2: HEIGHT }));
  }
  const named = zero !== null && zero > 0.2 && zero < 0.8;
  const axis = h(
    "div",
    { class: "fm-axis cnnw-ends cnnw-small cnnw-soft" },
    h("span", {}, number(low)),
    named && h("span", { class: "fm-at", style: `left:${(zero * 100).toFixed(1)}%` }, "0"),
    h("span", {}, number(high)),
  );
  return h("div", {}, svg, axis, cut && h("p", { class: SOFT }, cut));
}
