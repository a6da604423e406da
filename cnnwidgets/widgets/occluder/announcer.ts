/** What a screen reader says of the newest change, once it has come to rest. */
import { h } from "../_shared/dom";

const PAUSE = 400;

export class Announcer {
  readonly element = h("div", { class: "cnnw-spoken", "aria-live": "polite" });
  #timer = 0;

  /** Not every step of a drag: `text` is asked for after a pause. */
  say(text: () => string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.element.textContent = text();
    }, PAUSE);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
