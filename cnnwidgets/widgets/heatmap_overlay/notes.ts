/** What the reader must know before trusting the map. */
import { h } from "../_shared/dom";
import type { Sentence } from "./scale";
import type { Sign } from "./state";

export function notes(look: (sign: Sign) => void) {
  const element = h("div", { class: "cnnw-ho-notes" });
  let shown = "";
  return {
    element,
    update(sentences: readonly Sentence[]) {
      const wanted = JSON.stringify(sentences);
      if (wanted === shown) return;
      shown = wanted;
      element.replaceChildren(
        ...sentences.map(({ level, text, see }) => {
          const link =
            see &&
            h(
              "button",
              { type: "button", class: "cnnw-ho-link", onclick: () => look(see) },
              `See ${see === "signed" ? "Signed" : "Positive"}.`,
            );
          const mark =
            level === "ok" && h("span", { class: "cnnw-ho-ok", "aria-label": "Checked:", role: "img" }, "✓ ");
          return h("p", { class: `cnnw-ho-note is-${level}`, dir: "auto" }, mark, link ? `${text} ` : text, link);
        }),
      );
    },
  };
}
