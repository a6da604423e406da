/** Which colour stands for which kind. */
import { h } from "../_shared/dom";
import { colourStyle } from "./nodes";
import type { Item } from "./state";

const NAMES = [
  ["conv", "convolution"],
  ["norm", "norm"],
  ["activation", "activation"],
  ["pool", "pooling"],
  ["linear", "linear"],
  ["attention", "attention"],
  ["other", "other"],
] as const;

/** The kinds among `items`, in a fixed order. */
export function kindsOf(items: readonly Item[]): (typeof NAMES)[number][] {
  const present = new Set(
    items.filter((item) => !item.open && item.kind !== "join").map((item) => colourStyle(item.kind)),
  );
  return NAMES.filter(([kind]) => present.has(colourStyle(kind)));
}

export function drawLegend(legend: HTMLElement, items: readonly Item[]): void {
  legend.replaceChildren(
    ...kindsOf(items).map(([kind, name]) =>
      h("li", { class: "cnnw-line" }, h("i", { style: colourStyle(kind), "aria-hidden": "true" }), name),
    ),
  );
}
