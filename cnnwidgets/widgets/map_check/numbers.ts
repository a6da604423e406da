/** The table of all numbers, folded away. */
import { h } from "../_shared/dom";
import type { MapsContent } from "./state";

const HEAD = ["stage", "random down to", "Spearman of |values|", "Spearman", "SSIM", "score"];

/** A table with a row of texts a stage; null if there is none. */
export function numbers(content: MapsContent, open: boolean): HTMLDetailsElement | null {
  const rows = content.details ?? [];
  if (rows.length === 0) return null;
  const body = rows.map((row) => h("tr", {}, ...row.map((text) => h("td", {}, text))));
  return h(
    "details",
    { class: "mc-numbers", open },
    h("summary", {}, "All numbers"),
    h(
      "div",
      { class: "mc-table", tabindex: 0, role: "region", "aria-label": "All numbers" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...body),
      ),
    ),
  );
}
