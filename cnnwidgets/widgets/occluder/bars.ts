/** The scores of a few classes: a bar for now, a thin mark for before. */
import { h } from "../_shared/dom";
import { changeText, type ScoreRow, type Scores, valueText } from "./state";

/** Where a score lies between the ends of its track, 0 to 1. */
export function shareOf(value: number | null, scores: Scores): number {
  if (value === null) return 0;
  if (scores.unit === "probability") return Math.min(Math.max(value, 0), 1);
  const sizes = scores.rows.flatMap(([, , before, after]) => [Math.abs(before ?? 0), Math.abs(after ?? 0)]);
  const most = Math.max(...sizes);
  return most > 0 ? Math.abs(value) / most : 0;
}

class ScoreBar {
  readonly #name = h("bdi", { class: "oc-name cnnw-cut" });
  readonly #fill = h("i");
  readonly #mark = h("b");
  readonly #value = h("span", { class: "oc-value" });
  readonly #track = h("span", { class: "oc-track", "aria-hidden": "true" }, this.#fill, this.#mark);
  readonly element = h("li", { class: "cnnw-figures" }, this.#name, this.#track, this.#value);

  update(row: ScoreRow, scores: Scores): void {
    const { element } = this;
    const [index, label, before, after] = row;
    element.dataset["class"] = String(index);
    element.dataset["after"] = String(after);
    element.title = changeText(row, scores.unit);
    element.classList.toggle("is-target", index === scores.target);
    element.classList.toggle("is-now", index === scores.now);
    this.#name.textContent = label;
    this.#value.textContent = valueText(after, scores.unit);
    this.#fill.style.width = `${100 * shareOf(after, scores)}%`;
    this.#mark.style.left = `${100 * shareOf(before, scores)}%`;
  }
}

export class ScoreBars {
  readonly element = h("ul", { class: "oc-bars", "aria-label": "Scores of the edited picture" });
  #bars: ScoreBar[] = [];

  update(scores: Scores): void {
    const { rows } = scores;
    if (rows.length !== this.#bars.length) {
      this.#bars = rows.map(() => new ScoreBar());
      this.element.replaceChildren(...this.#bars.map(({ element }) => element));
    }
    for (const [i, row] of rows.entries()) this.#bars[i]!.update(row, scores);
  }
}
