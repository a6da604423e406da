/** "What did it say?": the bars, each the button of its class, and a search over all classes. */
import { button, h, menu, tell } from "../_shared/dom";
import { type BaseState, entry, type Link, RootView } from "../_shared/view";
import "./widget.css";

const WITHIN = /[\p{L}\p{N}]/u;

/** How well `query` fits: 0 the whole name or number, 1 whole words, 2 the beginning of one, 3 within one; 4 not. */
function fitOf(name: string, index: number, query: string): number {
  if (name === query || String(index) === query) return 0;
  let best = 4;
  for (let at = name.indexOf(query); at >= 0; at = name.indexOf(query, at + 1)) {
    const begins = at === 0 || !WITHIN.test(name[at - 1]!);
    const ends = at + query.length === name.length || !WITHIN.test(name[at + query.length]!);
    best = Math.min(best, begins ? (ends ? 1 : 2) : 3);
  }
  return best;
}

/**
 * Classes whose name or number holds the words, at most `most`: whole words before parts of words, and of those that
 * fit as well as one another the likelier first, as `likeliest` has them.
 */
export function search(names: readonly string[], words: string, most: number, likeliest: readonly number[] = []) {
  const query = words.trim().toLowerCase();
  if (!query) return [];
  const rank = new Map(likeliest.map((index, position) => [index, position]));
  const place = (index: number) => rank.get(index) ?? likeliest.length + index;
  return names
    .map((name, index) => ({ index, fits: fitOf(name.toLowerCase(), index, query) }))
    .filter(({ fits }) => fits < 4)
    .sort((a, b) => a.fits - b.fits || place(a.index) - place(b.index))
    .slice(0, most)
    .map(({ index }) => index);
}

/** What the model's own numbers are called, in the menu of what the bars show. */
export function rawName(kind: string | null): string {
  if (kind === "log_softmax" || kind === "log_sigmoid") return "Log-probability";
  return kind === "softmax" || kind === "sigmoid" || kind === "number" ? "Output" : "Logit";
}

const MOST = 12;
let lists = 0;

export class ClassSearch {
  names: string[] = [];
  /** Classes by their scores, highest first; those that follow may be left out. */
  likeliest: number[] = [];
  readonly #list = h("datalist", { id: `cnnw-classes-${lists}` });
  readonly #input = h("input", {
    type: "search",
    class: "cnnw-class-scores-search cnnw-field",
    placeholder: "Find a class…",
    title: "Explain another class: type a part of its name, or its number",
    "aria-label": "Find a class by name or number",
    list: this.#list.id,
    autocomplete: "off",
  });
  readonly element = h("div", {}, this.#input, this.#list);

  constructor(private readonly onpick: (index: number) => void) {
    lists += 1;
    this.#input.addEventListener("input", () => this.#onInput());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#onEnter();
    });
  }

  #pick(index: number): void {
    this.onpick(index);
    this.#input.value = "";
    this.#list.replaceChildren();
  }

  #onInput(): void {
    const exact = Number(/^(\d+): /u.exec(this.#input.value)?.[1]);
    if (this.names[exact] !== undefined) {
      this.#pick(exact);
      return;
    }
    const indices = search(this.names, this.#input.value, MOST, this.likeliest);
    this.#list.replaceChildren(...indices.map((index) => h("option", { value: `${index}: ${this.names[index]}` })));
    this.#input.setCustomValidity("");
  }

  #onEnter(): void {
    const input = this.#input;
    const [first] = search(this.names, input.value, 1, this.likeliest);
    if (first !== undefined) {
      this.#pick(first);
      return;
    }
    input.setCustomValidity(`No class has “${input.value}” in its name.`);
    input.reportValidity();
  }
}

export interface ClassScoresState extends BaseState {
  target: number | null;
  score: "probability" | "logit";
  rows: number[];
  names: string[];
  values: string[];
  bars: [from: number, to: number][];
  message: string;
  explains: string;
  chosen: boolean;
  kind: string | null;
  more: boolean;
  has_more: boolean;
  remark: string;
}

const SHOWN = "Probabilities, which add up to 100 %, or the numbers that the network itself returns (logits)";
const SCORES = [
  ["probability", "Probability"],
  ["logit", "Logit"],
] as const;

class ClassScoresView extends RootView<ClassScoresState> {
  readonly #score = menu(
    "What the bars show",
    SCORES,
    this.link.get("score"),
    (score) => this.link.set("score", score as ClassScoresState["score"]),
    SHOWN,
  );
  readonly #more = h("button", {
    type: "button",
    class: "cnnw-button cnnw-field",
    title: "How many classes have a bar",
    onclick: () => this.link.set("more", !this.link.get("more")),
  });
  readonly #search = new ClassSearch((target) => this.link.set("target", target));
  readonly #empty = h("p", { class: "cnnw-empty" });
  readonly #remark = h("p", { class: "cnnw-class-scores-remark cnnw-soft" });
  readonly #explains = h("span");
  readonly #follow = button("Follow the top class", () => this.link.command("follow"), {
    title: "Explain the class with the highest score, of this photograph and of others",
  });
  readonly #bars = h("div", { class: "cnnw-class-scores-bars", role: "list", "aria-label": "Class scores" });

  constructor(link: Link<ClassScoresState>, el: HTMLElement) {
    super(link, el);
    const aside = h("span", { class: "cnnw-aside" }, this.#score);
    const heading = h("h3", { class: "cnnw-heading" }, "What did it say?", aside);
    const find = h("div", { class: "cnnw-class-scores-find cnnw-line" }, this.#search.element, this.#more);
    const choice = h("p", { class: "cnnw-class-scores-choice cnnw-soft" }, this.#explains, " ", this.#follow);
    el.append(heading, find, this.#empty, choice, this.#remark, this.#bars);
    link.watch(["explains", "chosen"], () => {
      this.#explains.textContent = link.get("explains");
      choice.hidden = !link.get("explains");
      this.#follow.hidden = !link.get("chosen");
    });
    link.receive("classes", ({ content }) => {
      this.#search.names = content["names"] as string[];
    });
    link.receive("likeliest", ({ content }) => {
      this.#search.likeliest = content["classes"] as number[];
    });
    link.watch(["score", "kind", "remark", "message", "more", "has_more"], () => this.#paint());
    link.watch(["rows", "names", "values", "bars", "target"], () => this.#paintBars());
  }

  #paint(): void {
    const { link } = this;
    const [score, empty, remark] = [this.#score, this.#empty, this.#remark];
    score.value = link.get("score");
    score.options[1]!.text = rawName(link.get("kind"));
    score.hidden = link.get("kind") === "number";
    this.#more.textContent = link.get("more") ? "Fewer classes" : "More classes";
    this.#more.hidden = !link.get("has_more");
    tell(remark, link.get("remark"));
    tell(empty, link.get("message"));
    this.#search.element.hidden = !empty.hidden;
  }

  #paintBars(): void {
    const buttons = () => [...this.#bars.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement as HTMLButtonElement);
    const items = this.link.get("rows").map((index, row) => h("div", { role: "listitem" }, this.#bar(index, row)));
    this.#bars.replaceChildren(...items);
    if (focused >= 0) buttons()[focused]?.focus();
  }

  /** All of a row takes clicks: the bar of an unlikely class is less than a pixel wide. */
  #bar(index: number, row: number): HTMLElement {
    const { link } = this;
    const [name, value] = [link.get("names")[row] ?? "", link.get("values")[row] ?? ""];
    const [from, to] = link.get("bars")[row] ?? [0, 0];
    const bar = h("i");
    [bar.style.left, bar.style.width] = [`${100 * from}%`, `${100 * (to - from)}%`];
    const title = `\u2068${name}\u2069 (class ${index}): ${value}`;
    const own = { type: "button", class: "cnnw-plain", "data-class": index, onclick: () => link.set("target", index) };
    return h(
      "button",
      { ...own, "aria-pressed": String(index === link.get("target")), title },
      h("bdi", { class: "cnnw-cut" }, name),
      h("span", { class: "cnnw-spoken" }, ", "),
      h("span", { class: "cnnw-track" }, bar),
      h("span", { class: "cnnw-soft cnnw-figures" }, value),
    );
  }
}

export default entry<ClassScoresState>("class-scores", ClassScoresView);
