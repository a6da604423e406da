/** What the reader must know before trusting the map. */
import type { Sign } from "../_maps/state";
import { changes, h } from "../_shared/dom";
import type { Sentence } from "./sentences";

export class Notes {
  readonly element = h("div", { class: "cnnw-ho-notes cnnw-stack" });
  readonly #sentencesChanged = changes();

  /** `look` shows the map with another sign. */
  constructor(private readonly look: (sign: Sign) => void) {}

  update(sentences: readonly Sentence[]): void {
    if (!this.#sentencesChanged(JSON.stringify(sentences))) return;
    this.element.replaceChildren(...sentences.map((sentence) => this.#note(sentence)));
  }

  #note({ level, text, see }: Sentence): HTMLElement {
    const onclick = () => see && this.look(see);
    const name = `See ${see === "signed" ? "Signed" : "Positive"}.`;
    const link = see && h("button", { type: "button", class: "cnnw-plain cnnw-link", onclick }, name);
    const mark = level === "ok" && h("span", { class: "cnnw-ho-ok", "aria-label": "Checked:", role: "img" }, "✓ ");
    const look = level === "warn" ? "cnnw-warning" : "cnnw-soft cnnw-wrap";
    return h("p", { class: `cnnw-ho-note ${look}`, dir: "auto" }, mark, link ? `${text} ` : text, link);
  }
}
