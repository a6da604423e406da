/** "Check this map": the button, the progress, the maps and what they mean. */
import "../_shared/base.css";
import "./widget.css";
import { command, openChannel, subscribe } from "../_shared/channel";
import { button, h } from "../_shared/dom";
import { listen, type Model, type RenderContext, watch } from "../_shared/model";
import { shell } from "../_shared/shell";
import { numbers } from "./numbers";
import type { MapsContent, State } from "./state";
import { strip } from "./strip";

const WHAT =
  "Randomise the network's weights, and hide what the map calls important: does the map react, does the score?";

function initialize({ model }: { model: Model<State> }): void {
  openChannel(model);
}

function render({ model, el }: RenderContext<State>): () => void {
  const unshell = shell(el, model, "map-check-panel");
  const start = button("Check this map", () => command(model, "check"));
  start.classList.add("mc-start");
  const what = h("span", { class: "mc-soft" });
  const bar = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": "Progress of the check" });
  const told = h("span", { class: "mc-told" });
  const cancel = button("Cancel", () => {
    cancel.disabled = true;
    command(model, "cancel");
  });
  const work = h("div", { class: "mc-row mc-work" }, bar, told, cancel);
  const badge = h("span", { class: "mc-badge" });
  const sentence = h("p", { class: "mc-sentence", role: "status" });
  const notes = h("ul", { class: "mc-notes" });
  const maps = h("div", {});
  const table = h("div", {});
  const top = h("div", { class: "mc-row mc-top" }, start, badge, what);
  el.append(h("div", { class: "mc-panel" }, top, work, sentence, notes, maps, table));

  const paint = () => {
    const state = model.get("state");
    const mayStart = state === "idle" || state === "stopped" || state === "empty";
    start.hidden = !mayStart;
    start.disabled = state === "empty";
    const label = state === "stopped" ? "Check again" : "Check this map";
    if (start.textContent !== label) start.textContent = start.ariaLabel = start.title = label;
    badge.textContent = model.get("badge");
    badge.hidden = !model.get("badge");
    badge.dataset["level"] = sentence.dataset["level"] = model.get("level");
    what.textContent = state === "idle" ? [WHAT, model.get("hint")].filter(Boolean).join(" ") : model.get("hint");
    what.hidden = what.textContent === "";
    top.hidden = start.hidden && badge.hidden && what.hidden;
    work.hidden = state !== "running";
    if (state !== "running") cancel.disabled = false;
    sentence.textContent = model.get("sentence");
    sentence.hidden = !model.get("sentence");
    notes.replaceChildren(...model.get("notes").map((note) => h("li", {}, note)));
    notes.hidden = model.get("notes").length === 0;
    el.dataset["state"] = state;
  };
  const offs = [
    watch(model, ["state", "hint", "badge", "level", "sentence", "notes"], paint),
    watch(model, ["progress", "progress_text"], () => {
      bar.value = model.get("progress") ?? 0;
      told.textContent = model.get("progress_text");
    }),
    subscribe(model, "maps", (data) => {
      const given = data.arrays["maps"];
      const content = data.content as MapsContent;
      const open = table.querySelector("details")?.open ?? false;
      maps.replaceChildren(...(given ? [strip(given, content)] : []));
      const all = given ? numbers(content, open) : null;
      table.replaceChildren(...(all ? [all] : []));
      el.dataset["painted"] = String(data.id);
    }),
  ];
  // The charts are siblings under the same root, which exists only once this view is in the page.
  const frame = requestAnimationFrame(() => {
    const root = el.closest<HTMLElement>(".cnnw-map-check");
    if (!root) return;
    const busy = () => (model.get("busy") ? root.setAttribute("aria-busy", "true") : root.removeAttribute("aria-busy"));
    busy();
    offs.push(listen(model, "change:busy", busy));
  });
  return () => {
    cancelAnimationFrame(frame);
    offs.forEach((off) => off());
    unshell();
  };
}

export default { initialize, render };
