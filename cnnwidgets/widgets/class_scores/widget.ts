/** "What did it say?": a search over the classes, and the rows of the bars for keyboard and screen reader. */
import { h, menu } from "../_shared/dom";
import type { BaseState } from "../_shared/model";
import { entry, type Link, RootView } from "../_shared/view";
import { rawName, rowAt } from "./rows";
import { ClassSearch } from "./search";
import "../_shared/bqplot.css";
import "./widget.css";

export interface ClassScoresState extends BaseState {
  target: number | null;
  score: "probability" | "logit";
  rows: number[];
  names: string[];
  values: string[];
  message: string;
  kind: string | null;
  more: boolean;
  has_more: boolean;
  remark: string;
}

const SCORES = [
  ["probability", "Probability"],
  ["logit", "Logit"],
] as const;

class ClassScoresView extends RootView<ClassScoresState> {
  readonly #score = menu("What the bars show", SCORES, this.link.get("score"), (score) =>
    this.link.set("score", score as ClassScoresState["score"]),
  );
  readonly #more = h("button", {
    type: "button",
    class: "cnnw-button cnnw-field",
    onclick: () => this.link.set("more", !this.link.get("more")),
  });
  readonly #search = new ClassSearch((target) => this.link.set("target", target));
  readonly #empty = h("p", { class: "cnnw-empty" });
  readonly #remark = h("p", { class: "cnnw-class-scores-remark cnnw-soft" });
  readonly #spoken = h("div", { class: "cnnw-class-scores-spoken", role: "list", "aria-label": "Class scores" });

  constructor(link: Link<ClassScoresState>, el: HTMLElement) {
    super(link, el);
    const aside = h("span", { class: "cnnw-aside" }, this.#score);
    const heading = h("h3", { class: "cnnw-heading" }, "What did it say?", aside);
    const find = h("div", { class: "cnnw-class-scores-find cnnw-line" }, this.#search.element, this.#more);
    el.append(heading, find, this.#empty, this.#remark, this.#spoken);
    link.receive("classes", ({ content }) => {
      this.#search.names = content["names"] as string[];
    });
    link.receive("likeliest", ({ content }) => {
      this.#search.likeliest = content["classes"] as number[];
    });
    link.watch(["score", "kind", "remark", "message", "more", "has_more"], () => this.#paint());
    link.watch(["rows", "names", "values", "target"], () => this.#paintRows());
    // The figure is a sibling under the same root.
    link.whenInside(el, ".cnnw-class-scores", (root) => {
      this.#makeRowsClickable(root);
      link.showBusy(root);
    });
  }

  #paint(): void {
    const { link } = this;
    const [score, empty, remark] = [this.#score, this.#empty, this.#remark];
    score.value = link.get("score");
    score.options[1]!.text = rawName(link.get("kind"));
    score.hidden = link.get("kind") === "number";
    this.#more.textContent = link.get("more") ? "Fewer classes" : "More classes";
    this.#more.hidden = !link.get("has_more");
    remark.textContent = link.get("remark");
    remark.hidden = !link.get("remark");
    empty.textContent = link.get("message");
    empty.hidden = !link.get("message");
    this.#search.element.hidden = !empty.hidden;
  }

  /** The bars are a picture; these buttons are the same rows for the keyboard and for screen readers. */
  #paintRows(): void {
    const spoken = this.#spoken;
    const buttons = () => [...spoken.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement as HTMLButtonElement);
    const items = this.link.get("rows").map((index, row) => {
      const data = { "data-class": index, "aria-pressed": String(index === this.link.get("target")) };
      const onclick = () => this.link.set("target", index);
      const text = `${this.link.get("names")[row]}, ${this.link.get("values")[row]}`;
      return h(
        "div",
        { role: "listitem" },
        h("button", { type: "button", class: "cnnw-plain", ...data, onclick }, text),
      );
    });
    spoken.replaceChildren(...items);
    if (focused >= 0) buttons()[focused]?.focus();
  }

  /** The whole of a row takes clicks: the bar of an unlikely class is less than a pixel wide. */
  #makeRowsClickable(root: HTMLElement): void {
    const rowUnder = (event: MouseEvent, figure: HTMLElement): number | null => {
      if (!figure.contains(event.target as Node)) return null;
      const box = figure.getBoundingClientRect();
      return rowAt(event.clientY - box.top, box.height, this.link.get("rows").length);
    };
    const onClick = (event: MouseEvent) => {
      const figure = root.querySelector<HTMLElement>(".bqplot");
      // bqplot's own selection takes the bar
      if (!figure || (event.target as Element).classList.contains("bar")) return;
      const row = rowUnder(event, figure);
      const index = row === null ? undefined : this.link.get("rows")[row];
      if (index !== undefined) this.link.set("target", index);
    };
    const onMove = (event: MouseEvent) => {
      const figure = root.querySelector<HTMLElement>(".bqplot");
      if (!figure) return;
      const row = rowUnder(event, figure);
      const of = (name: "names" | "rows" | "values") => (row === null ? "" : this.link.get(name)[row]);
      figure.title = row === null ? "" : `${of("names")} (class ${of("rows")}): ${of("values")}`;
    };
    root.addEventListener("click", onClick);
    root.addEventListener("mousemove", onMove);
    this.link.onClose(() => {
      root.removeEventListener("click", onClick);
      root.removeEventListener("mousemove", onMove);
    });
  }
}

export default entry<ClassScoresState>("class-scores-header", ClassScoresView);
