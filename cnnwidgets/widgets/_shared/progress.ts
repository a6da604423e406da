/** How far a piece of work is, and the button that ends it. */
import { button, h } from "./dom";
import { type BaseState, type Link, View } from "./view";
import "./progress.css";

export interface ProgressState extends BaseState {
  progress: number | null;
  progress_text: string;
}

const DOING = "What is being computed, how much of it is done, and about how long the rest takes";

export class Progress extends View<ProgressState> {
  readonly bar: HTMLProgressElement;
  readonly text = h("span", { class: "cnnw-figures", title: DOING });
  readonly cancel = button("Cancel", () => this.#cancel(), { title: "Stop, and keep what is done" });
  readonly element = h("div", { class: "cnnw-row cnnw-work" });

  constructor(link: Link<ProgressState>, label: string) {
    super(link);
    this.bar = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": label });
    this.element.append(this.bar, this.text, this.cancel);
    link.watch(["progress", "progress_text"], () => {
      const share = link.get("progress");
      this.bar.value = share ?? 0;
      this.text.textContent = link.get("progress_text");
      if (share === null) this.cancel.disabled = false;
    });
  }

  show(running: boolean): void {
    this.element.hidden = !running;
    if (!running) this.cancel.disabled = false;
  }

  #cancel(): void {
    this.cancel.disabled = true;
    this.link.command("cancel");
  }
}
