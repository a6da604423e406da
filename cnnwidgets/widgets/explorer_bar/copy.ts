/** Text to the clipboard, or before the reader's eyes. */
import { button, h } from "../_shared/dom";

/** Copies `text`; where the browser allows no page to do so, it stands selected in a field under `bar`. */
export async function copy(text: string, bar: HTMLElement): Promise<boolean> {
  bar.querySelector(".cnnw-explorer-code")?.remove();
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const rows = String(text.split("\n").length);
    const field = h("textarea", { rows, readOnly: true, "aria-label": "Python of what is on show" });
    field.value = text;
    const panel = h(
      "div",
      { class: "cnnw-explorer-code cnnw-stack" },
      field,
      button("Close", () => panel.remove(), { title: "Take the code away" }),
    );
    bar.append(panel);
    field.select();
    return false;
  }
}
