/** The numbers that the chosen method takes, folded away. */
import { changes, h } from "../_shared/dom";
import type { Link } from "../_shared/view";
import type { OverlayState, Setting } from "./look";

export function methodSettings(link: Link<OverlayState>): HTMLElement {
  const row = h("div", { class: "cnnw-row" });
  const title = "The numbers that this method takes; changing one makes the map anew";
  const element = h("details", { class: "cnnw-fold" }, h("summary", { title }, "Settings"), row);
  const otherFields = changes();
  const set = (name: string, value: number) => {
    const settings = link.get("settings").map((setting) => (setting.name === name ? { ...setting, value } : setting));
    if (Number.isFinite(value)) link.set("settings", settings);
  };
  link.watch(["settings"], () => {
    const settings = link.get("settings");
    element.hidden = settings.length === 0;
    if (otherFields(link.get("method"), ...settings.map(({ name }) => name))) {
      row.replaceChildren(...settings.map((setting) => field(setting, set)));
    }
    for (const [i, input] of [...row.querySelectorAll("input")].entries()) {
      if (document.activeElement !== input) input.value = String(settings[i]!.value);
    }
  });
  return element;
}

function field({ name, label, help, whole }: Setting, set: (name: string, value: number) => void): HTMLElement {
  const input = h("input", {
    type: "number",
    class: "cnnw-number cnnw-field",
    step: whole ? 1 : "any",
    min: whole ? 1 : 0,
  });
  input.addEventListener("change", () => set(name, input.value === "" ? Number.NaN : Number(input.value)));
  return h("label", { class: "cnnw-line cnnw-soft", title: help }, label, input);
}
