/** A search over all classes: type a name or a number, pick from the list, Enter takes the first. */
import { h } from "../_shared/dom";

export function rowAt(y: number, height: number, rows: number): number | null {
  if (rows < 1 || height <= 0 || y < 0 || y >= height) return null;
  return Math.min(rows - 1, Math.floor((y / height) * rows));
}

/** Classes whose name or number holds the words, at most `most`, best first: a name that begins so, then the rest. */
export function search(names: readonly string[], words: string, most: number): number[] {
  const query = words.trim().toLowerCase();
  if (!query) return [];
  const begins: number[] = [];
  const holds: number[] = [];
  names.forEach((name, index) => {
    const lower = name.toLowerCase();
    if (String(index) === query || lower.startsWith(query)) begins.push(index);
    else if (lower.includes(query)) holds.push(index);
  });
  return [...begins, ...holds].slice(0, most);
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
  readonly #list = h("datalist", { id: `cnnw-classes-${lists}` });
  readonly #input = h("input", {
    type: "search",
    class: "cnnw-class-scores-search cnnw-field",
    placeholder: "Explain another class…",
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
    const indices = search(this.names, this.#input.value, MOST);
    this.#list.replaceChildren(...indices.map((index) => h("option", { value: `${index}: ${this.names[index]}` })));
    this.#input.setCustomValidity("");
  }

  #onEnter(): void {
    const input = this.#input;
    const [first] = search(this.names, input.value, 1);
    if (first !== undefined) {
      this.#pick(first);
      return;
    }
    input.setCustomValidity(`No class has “${input.value}” in its name.`);
    input.reportValidity();
  }
}
