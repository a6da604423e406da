/** What stands beside the pictures: bars of scores, and what the colours of a sweep's map stand for. */
import { gradient } from "../_maps/colormaps";
import { farthest } from "../_maps/scale";
import { h } from "../_shared/dom";
import { changeText, hardlyMoves, placesText, type ScoreRow, type Scores, signedText, valueText } from "./state";
import { type ClassCount, countsOf, type Swept } from "./swept";

/** Where a score lies between the ends of its track, 0 to 1. */
export function shareOf(value: number | null, scores: Scores): number {
  if (value === null) return 0;
  if (scores.unit === "probability") return Math.min(Math.max(value, 0), 1);
  const sizes = scores.rows.flatMap(([, , before, after]) => [Math.abs(before ?? 0), Math.abs(after ?? 0)]);
  const most = Math.max(...sizes);
  return most > 0 ? Math.abs(value) / most : 0;
}

/** The score of a class: a bar for now, a thin mark for before. */
class ScoreBar {
  readonly #name = h("bdi", { class: "oc-name cnnw-cut" });
  readonly #fill = h("i");
  readonly #mark = h("b");
  readonly #value = h("span", { class: "oc-value cnnw-value" });
  readonly #track = h("span", { class: "cnnw-track", "aria-hidden": "true" }, this.#fill, this.#mark);
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
  readonly element = h("ul", { class: "oc-bars cnnw-stack", "aria-label": "Scores of the edited picture" });
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

/** So many classes have a line of their own. */
export const LISTED_CLASSES = 9;

/** The scale of the drops, with its colour bar. */
export function dropScale(swept: Swept): HTMLElement {
  const limit = farthest(swept.drop);
  const [low, middle, high] = dropLabels(swept) ?? ["", "No place changes the score.", ""];
  const strip = h("div", { class: "cnnw-ramp" });
  if (limit > 0) strip.style.background = gradient("blue-red");
  const labels = [low, middle, high].map((label) => h("span", {}, label));
  const text = `Drop of ${swept.target}: red where hiding the place costs the score, blue where it helps.`;
  const still = "The score hardly moves: all differences are below 0.1 points.";
  return h(
    "div",
    {},
    h("div", { role: "img", "aria-label": `Colours from ${low} to ${high}` }, strip),
    h("div", { class: "oc-ends cnnw-ends cnnw-small" }, ...labels),
    limit > 0 && hardlyMoves(limit, swept.unit) && h("p", {}, still),
    h("p", { class: "cnnw-soft" }, text),
  );
}

/** The ends and the middle of the drops' scale; null where nothing changes. */
export function dropLabels({ drop, unit }: Swept): [string, string, string] | null {
  const limit = farthest(drop);
  return limit > 0 ? [signedText(-limit, unit), "0", signedText(limit, unit)] : null;
}

/** The classes with their colours; `asBars` with a bar for the number of places of each. */
export function classList(swept: Swept, colours: ReadonlyMap<number, string>, asBars: boolean): HTMLElement {
  const counts = countsOf(swept);
  const sum = (classes: readonly ClassCount[]) => classes.reduce((total, count) => total + count.places, 0);
  const most = counts[0]?.places ?? 1;
  const rows = counts.slice(0, LISTED_CLASSES).map(({ index, name, places }) => {
    const fill = h("i");
    fill.style.width = `${(100 * places) / most}%`;
    const swatch = h("span", { class: "oc-swatch" });
    swatch.style.background = fill.style.background = colours.get(index) ?? "";
    const track = asBars && h("span", { class: "cnnw-track", "aria-hidden": "true" }, fill);
    const label = index === swept.first ? `${name} (as without patch)` : name;
    const text = h("bdi", { class: "oc-name cnnw-cut", title: label }, label);
    const value = h("span", { class: "oc-value cnnw-value" }, String(places));
    const data = { "data-class": index, "data-places": places };
    return h("li", { class: "cnnw-figures", ...data }, swatch, text, track, value);
  });
  const more = counts.slice(LISTED_CLASSES);
  const rest = more.length > 0 && `and ${more.length} more classes at ${placesText(sum(more))}`;
  const title = `Highest score at ${placesText(sum(counts))}`;
  const list = h("ul", { class: `oc-counts cnnw-stack ${asBars ? "has-bars" : ""}`, "aria-label": title }, ...rows);
  return h("div", {}, list, rest && h("p", { class: "cnnw-soft" }, rest));
}
