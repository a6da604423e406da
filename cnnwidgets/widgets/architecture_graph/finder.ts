/** The search field. */
import { h } from "../_shared/dom";
import { following, matches, summary } from "./search";

export class Finder {
  readonly element: HTMLElement;
  /** Names that the text is in. */
  matches: string[] = [];
  names: string[] = [];
  /** For each name, what it is found by beside. */
  facts: string[] = [];
  #at = -1;
  readonly #input = h("input", {
    type: "search",
    class: "cnnw-ag-search cnnw-field",
    placeholder: "Search: conv1, 3x3, 112",
    "aria-label": "Search layers",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #status = h("span", { class: "cnnw-ag-status cnnw-soft", role: "status" });

  /** `onSearch` after each change of the text, `onPick` for each match that Enter goes to. */
  constructor(
    private readonly onSearch: () => void,
    private readonly onPick: (name: string) => void,
  ) {
    this.element = h("div", { class: "cnnw-ag-finder" }, this.#input, this.#status);
    this.#input.addEventListener("input", () => this.search());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
  }

  search(): void {
    this.matches = matches(this.names, this.#input.value, this.facts);
    this.#at = -1;
    this.#report();
    this.onSearch();
  }

  #report(): void {
    this.#status.textContent = this.#input.value.trim() ? summary(this.#at, this.matches.length) : "";
    this.#input.setAttribute("aria-invalid", String(this.#status.textContent === "no match"));
  }

  #onKey(event: KeyboardEvent): void {
    // a notebook takes letters and Enter for itself
    event.stopPropagation();
    if (event.key === "Escape" && this.#input.value) {
      this.#input.value = "";
      this.search();
    } else if (event.key === "Enter" || event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.#at = following(this.#at, this.matches.length, event.shiftKey || event.key === "ArrowUp" ? -1 : 1);
      this.#report();
      const name = this.matches[this.#at];
      if (name !== undefined) this.onPick(name);
    }
  }
}
