/** The search field. */
import { h } from "../_shared/dom";

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
    title: "Find layers by name, kind or size",
    "aria-label": "Search layers",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #status = h("span", { class: "cnnw-ag-status cnnw-over cnnw-soft", role: "status" });

  /** `onSearch` after each change of the text, `onPick` for each match that Enter goes to. */
  constructor(
    private readonly onSearch: () => void,
    private readonly onPick: (name: string) => void,
  ) {
    this.element = h("div", { class: "cnnw-ag-finder cnnw-around" }, this.#input, this.#status);
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

/** Names of which every word of `query` is in the name or in its facts, in the order given; capitals do not matter. */
export function matches(names: readonly string[], query: string, facts: readonly string[] = []): string[] {
  const words = query
    .toLowerCase()
    .replaceAll(/(\d)\s*×\s*(?=\d)/gu, "$1x")
    .split(/\s+/u)
    .filter(Boolean);
  if (words.length === 0) return [];
  return names.filter((name, index) => {
    const lower = name.toLowerCase();
    const known = facts[index] ?? "";
    // of a number only the whole: 12 is not in 112, nor 3x3 in 13x3
    const isFact = (word: string) => (/^\d/u.test(word) ? known.split(" ").includes(word) : known.includes(word));
    return words.every((word) => lower.includes(word) || isFact(word));
  });
}

/** The match after `at` (-1 before the first), around the end. */
export function following(at: number, count: number, step: 1 | -1): number {
  if (count === 0) return -1;
  if (at < 0) return step > 0 ? 0 : count - 1;
  return (at + step + count) % count;
}

/** "3 of 12", "12 found", "no match". */
export function summary(at: number, count: number): string {
  if (count === 0) return "no match";
  return at < 0 ? `${count} found` : `${at + 1} of ${count}`;
}
