/** What has to be said about the numbers of a map. */
import type { Scale, Sign, Stats } from "../_maps/scale";
import { changes, h } from "../_shared/dom";
import { number, percent } from "../_shared/format";

/** What was done to the scale; null where nothing was. */
export function clipSentence(
  { limit, clip, sparse }: Scale,
  percentage: number,
  largest: number,
  digits = 3,
): Sentence | null {
  const amount = `${Number((sparse ? percentage : clip).toFixed(2))} %`;
  if (sparse) return { level: "info", text: `Not clipped: fewer than ${amount} of the places differ from 0.` };
  if (clip === 0) return null;
  const text = `The ${amount} largest values are drawn as the largest colour, ${number(limit, digits)}; the largest is ${number(largest, digits)}.`;
  return { level: "info", text };
}

export interface Sentence {
  level: "ok" | "warn" | "info";
  text: string;
  /** The view that shows more. */
  see?: Sign;
}

/** What the colours alone would not tell. */
export function sentencesOf(stats: Stats, sign: Sign, partial: boolean): Sentence[] {
  const { min, max, total, nan, infinite } = stats;
  const sentences: Sentence[] = [];
  const broken = infinite + (partial ? 0 : nan);
  if (broken === total) return [{ level: "warn", text: "No value of the map is a finite number: it shows nothing." }];
  if (broken > 0) {
    const which = broken === 1 ? "is not a finite number" : "are not finite numbers";
    sentences.push({
      level: "warn",
      text: `${broken} of ${total} values ${which} (NaN or infinity); hatched in magenta.`,
    });
  }
  if (partial) {
    const share = `${percent((total - nan) / total)} of the map is known; the rest is hatched.`;
    sentences.push({ level: "info", text: nan > 0 ? share : "This map is not final." });
    return sentences;
  }
  const shows = sign === "positive" ? max > 0 : sign === "negative" ? min < 0 : true;
  if (min === 0 && max === 0) sentences.push({ level: "warn", text: "The map is zero everywhere." });
  else if (!shows && sign === "positive") {
    const how = max < 0 ? "negative everywhere" : "nowhere positive";
    sentences.push({ level: "warn", text: `The map is ${how}: nothing speaks for this class here.`, see: "signed" });
  } else if (!shows) {
    const text = "The map is nowhere negative: nothing speaks against this class here.";
    sentences.push({ level: "warn", text, see: "positive" });
  } else if (min === max && total > 1) {
    sentences.push({ level: "warn", text: `The map is ${number(min)} everywhere: no place stands out.` });
  }
  return sentences;
}

const clauseOf = (text: string) => text.toLowerCase().replace(/^the /u, "").split(/[:.]/u, 1)[0]!;

/** Python's notes after the panel's own sentences, without those that say what one of these says already. */
export function once(own: readonly Sentence[], notes: readonly Sentence[]): Sentence[] {
  const clauses = own.map(({ text }) => clauseOf(text));
  return [...own, ...notes.filter(({ text }) => !clauses.some((clause) => clauseOf(text).startsWith(clause)))];
}

/** Warnings first, in a place of one height: what does not fit folds behind "n more notes", so that nothing jumps. */
export class Notes {
  readonly #list = h("div", { class: "cnnw-stack" });
  readonly #more = h("button", { type: "button", class: "cnnw-plain cnnw-link cnnw-ho-fold" });
  readonly element = h("div", { class: "cnnw-ho-notes" }, this.#list, this.#more);
  readonly #sentencesChanged = changes();
  #sentences: readonly Sentence[] = [];
  #open = false;

  /** `look` shows the map with another sign. */
  constructor(private readonly look: (sign: Sign) => void) {
    this.#more.addEventListener("click", () => {
      this.#open = !this.#open;
      this.#fit();
    });
    // Ends with the element, whose size, unlike the list's, does not follow from the notes.
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  update(sentences: readonly Sentence[]): void {
    if (!this.#sentencesChanged(JSON.stringify(sentences))) return;
    const [warnings, others] = [true, false].map((warns) =>
      sentences.filter(({ level }) => (level === "warn") === warns),
    );
    this.#sentences = [...warnings!, ...others!];
    this.#list.replaceChildren(...this.#sentences.map((sentence) => this.#note(sentence)));
    this.#fit();
  }

  #fit(): void {
    const notes = [...this.#list.children] as HTMLElement[];
    this.element.classList.remove("is-open", "is-cut");
    for (const note of notes) note.classList.remove("is-behind");
    this.#more.hidden = this.element.scrollHeight <= this.element.clientHeight + 1;
    if (this.#more.hidden) return;
    if (!this.#open) {
      this.#fold(notes);
      return;
    }
    this.element.classList.add("is-open");
    this.#say("Fewer notes", "Fold the notes away again");
  }

  /** The first note stays, on as many lines as there is room for. */
  #fold(notes: readonly HTMLElement[]): void {
    this.element.classList.add("is-cut");
    const bottom = this.#list.getBoundingClientRect().bottom + 1;
    const behind = notes.slice(1).filter((note) => note.getBoundingClientRect().bottom > bottom);
    for (const note of behind) note.classList.add("is-behind");
    const warns = this.#sentences.slice(notes.length - behind.length).some(({ level }) => level === "warn");
    const count = behind.length === 0 ? "All of the note" : `${behind.length} more note${behind.length > 1 ? "s" : ""}`;
    this.#say(`${warns ? "⚠ " : ""}${count}`, "Show all that has to be said of this map");
  }

  #say(text: string, title: string): void {
    this.#more.textContent = text;
    this.#more.title = title;
    this.#more.setAttribute("aria-expanded", String(this.#open));
  }

  #note({ level, text, see }: Sentence): HTMLElement {
    const onclick = () => see && this.look(see);
    const name = `See ${see === "signed" ? "Signed" : "Positive"}.`;
    const title = "Show the map with this sign";
    const link = see && h("button", { type: "button", class: "cnnw-plain cnnw-link", title, onclick }, name);
    const mark = level === "ok" && h("span", { class: "cnnw-ho-ok", "aria-label": "Checked:", role: "img" }, "✓ ");
    const look = level === "warn" ? "cnnw-warning" : "cnnw-soft cnnw-wrap";
    return h("p", { class: `cnnw-ho-note ${look}`, dir: "auto" }, mark, link ? `${text} ` : text, link);
  }
}
