/** Charts of lines: a box of 100 by 100, stretched to its place, with numbers beside and under it. */
import "./chart.css";
import { h, s } from "./dom";

export interface Axes {
  /** Round numbers along the vertical axis; the first and the last are its ends. */
  ticks: readonly number[];
  /** Of the horizontal axis. */
  ends: readonly [first: number, last: number];
}

/** Where in the box numbers lie. */
export type Points = (x: readonly number[], y: readonly number[]) => string[];

/** `curves` over a grid; `under` are numbers under the box and what stands for them; classes begin with `prefix`. */
export function plot(
  prefix: string,
  name: string,
  { ticks, ends: [first, last] }: Axes,
  curves: (points: Points) => (Node | false)[],
  under: readonly (readonly [number, string])[],
): HTMLElement {
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const across = (value: number) => (100 * (value - first)) / (last - first || 1);
  const down = (value: number) => (100 * (high - value)) / (high - low);
  const points: Points = (x, y) => x.map((value, i) => `${across(value)},${down(y[i]!)}`);
  const grid = ticks.map((tick) => s("line", { x2: 100, y1: down(tick), y2: down(tick) }));
  const box = { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": name };
  const number = (side: string, style: string, text: string) => h("span", { class: `${prefix}-${side}`, style }, text);
  return h(
    "div",
    { class: `cnnw-plot ${prefix}-plot cnnw-around cnnw-small cnnw-soft cnnw-figures` },
    s("svg", box, ...grid, ...curves(points)),
    ...ticks.map((tick) => number("up", `top:${down(tick)}%`, String(tick).replace("-", "−"))),
    ...under.map(([value, text]) => number("across", `left:${across(value)}%`, text)),
  );
}

export function polyline(name: string, points: readonly string[]): SVGElement {
  return s("polyline", { class: name, points: points.join(" ") });
}

/** Strokes without length, whose ends are round or square: circles would become ellipses in the stretched box. */
export function marks(name: string, points: readonly string[]): SVGElement {
  return s("path", { class: name, d: points.map((point) => `M${point}h0`).join("") });
}
