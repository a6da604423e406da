/** A row of choices of which one holds: a radio group, one tab stop, arrows move and choose. */
import { changes, choose, h, walkByKeys } from "./dom";
import "./segmented.css";

export interface Choice {
  value: string;
  label: string;
  title?: string;
  disabled?: boolean;
}

export class Segmented {
  readonly #group = h("div", { class: "cnnw-radios", role: "radiogroup" });
  readonly element = h("div", { class: "cnnw-segmented" }, this.#group);
  readonly #choicesChanged = changes();

  constructor(
    label: string,
    private readonly onpick: (value: string) => void,
  ) {
    this.#group.ariaLabel = label;
    walkByKeys(this.#group);
  }

  /** Replaces choices and selection; `beside` stands at the end of the row. */
  update(choices: readonly Choice[], value: string, beside: HTMLElement | null = null): void {
    // Rebuilding would take the focus from the choice that was just picked.
    if (this.#choicesChanged(JSON.stringify(choices))) {
      this.#group.replaceChildren(...choices.map((choice) => this.#radio(choice)));
    }
    choose(this.#group, value, "aria-checked");
    for (const child of [...this.element.children]) if (child !== this.#group && child !== beside) child.remove();
    // Moving it would take the focus from it.
    if (beside && beside.parentElement !== this.element) this.element.append(beside);
  }

  #radio({ value, label, title = label, disabled = false }: Choice): HTMLElement {
    const onclick = () => {
      choose(this.#group, value, "aria-checked");
      this.onpick(value);
    };
    const radio = { type: "button", role: "radio", class: "cnnw-plain cnnw-cut cnnw-soft", dir: "auto" };
    return h("button", { ...radio, value, title, disabled, onclick }, label);
  }
}
