/** The scores of a few classes: a bar for now, a thin mark for before. */
import { h } from "../_shared/dom";
import type { Scores } from "./state";
import { changeText, valueText } from "./words";

/** Where a score lies between the ends of its track, 0 to 1. */
export function shareOf(value: number | null, scores: Scores): number {
  if (value === null) return 0;
  if (scores.unit === "probability") return Math.min(Math.max(value, 0), 1);
  const sizes = scores.rows.flatMap(([, , before, after]) => [Math.abs(before ?? 0), Math.abs(after ?? 0)]);
  const most = Math.max(...sizes);
  return most > 0 ? Math.abs(value) / most : 0;
}

export function bars() {
  const list = h("ul", { class: "oc-bars", "aria-label": "Scores of the edited picture" });
  let lines: { row: HTMLElement; name: HTMLElement; fill: HTMLElement; mark: HTMLElement; value: HTMLElement }[] = [];
  const line = () => {
    const [name, fill, mark, value] = [
      h("bdi", { class: "oc-name" }),
      h("i"),
      h("b"),
      h("span", { class: "oc-value" }),
    ];
    const track = h("span", { class: "oc-track", "aria-hidden": "true" }, fill, mark);
    return { row: h("li", {}, name, track, value), name, fill, mark, value };
  };
  return {
    element: list,
    update(scores: Scores): void {
      while (lines.length < scores.rows.length) lines.push(line());
      lines = lines.slice(0, scores.rows.length);
      if (list.children.length !== lines.length) list.replaceChildren(...lines.map(({ row }) => row));
      scores.rows.forEach((given, i) => {
        const { row, name, fill, mark, value } = lines[i]!;
        const [index, label, before, after] = given;
        row.dataset["class"] = String(index);
        row.dataset["after"] = String(after);
        row.title = changeText(given, scores.unit);
        row.className = `${index === scores.target ? "is-target" : ""} ${index === scores.now ? "is-now" : ""}`.trim();
        name.textContent = label;
        value.textContent = valueText(after, scores.unit);
        fill.style.width = `${100 * shareOf(after, scores)}%`;
        mark.style.left = `${100 * shareOf(before, scores)}%`;
      });
    },
  };
}
