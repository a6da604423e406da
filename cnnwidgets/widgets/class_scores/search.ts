/** A search over all classes: type a name or a number, pick from the list, Enter takes the likeliest. */
import { h } from "../_shared/dom";
import { search } from "./rows";

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
