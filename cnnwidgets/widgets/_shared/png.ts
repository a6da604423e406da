/** A button that saves a PNG, without a server, and says whether it did; and what the picture is called. */
import { button, h } from "./dom";
import type { BaseState, Model } from "./view";
import "./save.css";

export interface Png {
  canvas: HTMLCanvasElement;
  name: string;
}

const READ = 8000; // ms that the outcome is told
const PAINTED = 40; // ms until the reader sees what was changed

function encoded(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error(`the browser makes no PNG of ${canvas.width} × ${canvas.height} pixels`));
    }, "image/png"),
  );
}

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export class SaveButton {
  readonly #press = button("Save", () => this.#save());
  readonly #outcome = h("span", { class: "cnnw-saved", role: "status" });
  readonly element = h("span", { class: "cnnw-save" }, this.#press, this.#outcome);
  #working = false;
  #possible = true;
  #timer = 0;

  /** `draw` makes the picture when it is asked for; null: there is nothing to save. */
  constructor(
    private readonly draw: () => Png | null,
    title: string,
  ) {
    this.#press.title = title;
  }

  allow(possible: boolean): void {
    this.#possible = possible;
    this.#update();
  }

  #update(): void {
    const [press, working] = [this.#press, this.#working];
    press.disabled = working || !this.#possible;
    press.textContent = press.ariaLabel = working ? "Saving …" : "Save";
    press.ariaBusy = working ? "true" : null;
  }

  #say(text: string, failed = false, title = text): void {
    clearTimeout(this.#timer);
    this.#outcome.setAttribute("role", failed ? "alert" : "status");
    this.#outcome.textContent = text;
    this.#outcome.title = title;
    if (text && !failed) this.#timer = setTimeout(() => this.#say(""), READ);
  }

  async #save(): Promise<void> {
    if (this.#working) return;
    const hadFocus = this.#press.matches(":focus");
    this.#working = true;
    this.#say("");
    this.#update();
    await new Promise((resolve) => setTimeout(resolve, PAINTED));
    try {
      const png = this.draw();
      if (png) {
        offer(await encoded(png.canvas), png.name);
        this.#say("✓ Saved", false, `Saved as ${png.name}`);
      }
    } catch (error) {
      this.#say(`Not saved: ${error instanceof Error ? error.message : String(error)}`, true);
    }
    this.#working = false;
    this.#update();
    // A button that is disabled loses the focus.
    if (hadFocus && document.activeElement === document.body) this.#press.focus();
  }
}

/** `subjects` (method, layer and class), then photograph and network, without what is not known or already said. */
export function titleOf<State extends BaseState>(model: Model<State>, ...subjects: string[]): string[] {
  const base = model as unknown as Model<BaseState>;
  const parts = subjects.filter(Boolean);
  for (const name of [base.get("photograph"), base.get("network")]) {
    const isThere = parts.some((part) => part === name || part.startsWith(`${name} → `));
    if (name && !isThere) parts.push(name);
  }
  return parts;
}

/** The widest a file name may be is 255 bytes. */
const MOST_BYTES = 220;
const MOST_LETTERS = 80;

/** Layers and classes of a network often begin alike: of a long one both ends stay, and what is between goes. */
function slug(text: string, most: number): string {
  const letters = [...text.replace(/(?:[^\p{L}\p{N}._]|\.\.)+/gu, "-").replace(/^[-.]+|[-.]+$/gu, "")];
  if (letters.length <= most) return letters.join("");
  const end = Math.floor((most - 1) / 2);
  return [...letters.slice(0, most - 1 - end), "-", ...letters.slice(letters.length - end)].join("");
}

/** A file name out of the parts of a title: letters, digits, dots and underscores of any script. */
export function fileName(...title: string[]): string {
  const parts = title.flatMap((part) => part.split(/ [→·] /u));
  const bytes = (name: string) => new TextEncoder().encode(name).length;
  const joined = (letters: number) =>
    parts
      .map((part) => slug(part, letters))
      .filter(Boolean)
      .join("-");
  let most = MOST_LETTERS;
  while (most > 1 && bytes(joined(most)) > MOST_BYTES) most -= 1;
  return `${joined(most) || "heatmap"}.png`;
}
