/** How far a piece of work is, and the button that ends it. */
import { button, h } from "./dom";
import "./progress.css";

export class Progress {
  readonly element: HTMLElement;
  readonly bar: HTMLProgressElement;
  readonly text = h("span", { class: "cnnw-figures" });
  readonly cancel: HTMLButtonElement;

  constructor(label: string, oncancel: () => void, title = "Cancel") {
    this.bar = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": label });
    this.cancel = button("Cancel", oncancel, { title });
    this.element = h("div", { class: "cnnw-row cnnw-work" }, this.bar, this.text, this.cancel);
  }

  update(share: number | null, text: string): void {
    this.bar.value = share ?? 0;
    this.text.textContent = text;
  }
}
