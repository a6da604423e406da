/** A list of boxes to tick that folds under a line that names what is ticked. */
import { changes, h, setText } from "../_shared/dom";

export type Option = readonly [value: string, label: string, title: string];
export type OptionGroup = readonly [heading: string, options: readonly Option[]];

export class Ticks {
  readonly element: HTMLElement;
  readonly #summary = h("span", { class: "cnnw-cut", dir: "auto" });
  readonly #body = h("div", { class: "cnnw-cmp-ticks" });
  readonly #groupsChanged = changes();

  constructor(
    private readonly name: string,
    onchange: (values: string[]) => void,
  ) {
    const line = h("summary", {}, h("b", { class: "cnnw-soft" }, name), " ", this.#summary);
    this.element = h("details", { class: "cnnw-cmp-choice" }, line, this.#body);
    this.#body.addEventListener("change", () => {
      const ticked = this.#boxes().filter((box) => box.checked);
      onchange(ticked.map((box) => box.value));
    });
  }

  update(groups: readonly OptionGroup[], ticked: readonly string[]): void {
    if (this.#groupsChanged(JSON.stringify(groups))) {
      this.#body.replaceChildren(...groups.map((group) => this.#fieldset(group)));
      this.#body.classList.toggle("is-one", groups.length === 1);
    }
    for (const box of this.#boxes()) box.checked = ticked.includes(box.value);
    const options = groups.flatMap(([, members]) => members).filter(([value]) => ticked.includes(value));
    setText(this.#summary, options.map(([, label]) => label).join(", ") || "none ticked");
  }

  #boxes(): HTMLInputElement[] {
    return [...this.#body.querySelectorAll("input")];
  }

  #fieldset([heading, options]: OptionGroup): HTMLElement {
    const legend = h("legend", { class: "cnnw-small cnnw-soft" }, heading || this.name);
    const labels = options.map(([value, label, title]) => {
      const box = h("input", { type: "checkbox", value });
      return h("label", { title, class: "cnnw-check" }, box, h("span", { class: "cnnw-cut", dir: "auto" }, label));
    });
    return h("fieldset", {}, legend, ...labels);
  }
}
