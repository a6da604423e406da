/** A button that saves a PNG, without a server; it says at once that it works, and then whether it did. */
import { button, h } from "./dom";

export interface Png {
  canvas: HTMLCanvasElement;
  /** Of the file. */
  name: string;
}

export interface Saving {
  element: HTMLElement;
  allow(possible: boolean): void;
}

const READ = 8_000; // ms that the outcome is told
const BACKGROUND = 200; // ms; a page that is not seen draws no frames

/** Until the reader sees what was changed. */
function seen(): Promise<void> {
  return new Promise((done) => {
    const late = setTimeout(done, BACKGROUND);
    requestAnimationFrame(() => {
      clearTimeout(late);
      setTimeout(done);
    });
  });
}

function encoded(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((done, fail) =>
    canvas.toBlob((blob) => {
      if (blob) done(blob);
      else fail(new Error(`the browser makes no PNG of ${canvas.width} × ${canvas.height} pixels`));
    }, "image/png"),
  );
}

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** `make` draws the picture when it is asked for; null: there is nothing to save. */
export function saveButton(make: () => Png | null, title: string): Saving {
  let working = false;
  let possible = true;
  let timer = 0;
  const press = button("Save", () => void save(), { title });
  const outcome = h("span", { class: "cnnw-saved", role: "status" });

  function update(): void {
    press.disabled = working || !possible;
    press.textContent = working ? "Saving …" : "Save";
    press.setAttribute("aria-label", working ? "Saving …" : "Save");
    if (working) press.setAttribute("aria-busy", "true");
    else press.removeAttribute("aria-busy");
  }

  function say(text: string, failed = false, title = text): void {
    clearTimeout(timer);
    outcome.setAttribute("role", failed ? "alert" : "status");
    outcome.textContent = text;
    outcome.title = title;
    if (text && !failed) timer = window.setTimeout(() => say(""), READ);
  }

  async function save(): Promise<void> {
    if (working) return;
    const focused = press.matches(":focus");
    working = true;
    say("");
    update();
    await seen();
    try {
      const png = make();
      if (png) {
        offer(await encoded(png.canvas), png.name);
        say("✓ Saved", false, `Saved as ${png.name}`);
      }
    } catch (error) {
      say(`Not saved: ${error instanceof Error ? error.message : String(error)}`, true);
    }
    working = false;
    update();
    // A button that is disabled loses the focus.
    if (focused && document.activeElement === document.body) press.focus();
  }

  return {
    element: h("span", { class: "cnnw-save" }, press, outcome),
    allow: (now) => {
      possible = now;
      update();
    },
  };
}
