/** A search over all classes: type a name or a number, pick from the list, Enter takes the first. */
import { h } from "../_shared/dom";
import { search } from "./rows";

const MOST = 12;
let lists = 0;

export class ClassSearch {
  names: string[] = [];
  readonly element: HTMLElement;
  private readonly list: HTMLDataListElement;
  private readonly input: HTMLInputElement;

  constructor(private readonly onpick: (index: number) => void) {
    lists += 1;
    this.list = h("datalist", { id: `cnnw-classes-${lists}` });
    this.input = h("input", {
      type: "search",
      class: "cnnw-class-scores-search cnnw-field",
      placeholder: "Explain another class…",
      "aria-label": "Find a class by name or number",
      list: this.list.id,
      autocomplete: "off",
    });
    this.element = h("div", {}, this.input, this.list);
    this.input.addEventListener("input", () => this.onInput());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.onEnter();
    });
  }

  private pick(index: number): void {
    this.onpick(index);
    this.input.value = "";
    this.list.replaceChildren();
  }

  private onInput(): void {
    const { input, names } = this;
    const listed = Number(/^(\d+): /.exec(input.value)?.[1]);
    if (names[listed] !== undefined) {
      this.pick(listed);
      return;
    }
    const indices = search(names, input.value, MOST);
    this.list.replaceChildren(...indices.map((index) => h("option", { value: `${index}: ${names[index]}` })));
    input.setCustomValidity("");
  }

  private onEnter(): void {
    const { input } = this;
    const [first] = search(this.names, input.value, 1);
    if (first !== undefined) {
      this.pick(first);
      return;
    }
    input.setCustomValidity(`No class has “${input.value}” in its name.`);
    input.reportValidity();
  }
}
