/** "Check this map": the button, the progress, the maps and what they mean. */

import { button, h } from "../_shared/dom";
import { Progress } from "../_shared/progress";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { type MapCheckState, type MapsContent, numbers, strip } from "./strip";
import "../_shared/bqplot.css";
import "./widget.css";

const WHAT =
  "Randomise the network's weights, and hide what the map calls important: does the map react, does the score?";

class MapCheckView extends RootView<MapCheckState> {
  readonly #start = button("Check this map", () => this.link.command("check"));
  readonly #badge = h("span", { class: "mc-badge" });
  readonly #hint = h("span", { class: "mc-what cnnw-soft" });
  readonly #top = h("div", { class: "cnnw-row" }, this.#start, this.#badge, this.#hint);
  readonly #progress = new Progress(this.link, "Progress of the check");
  readonly #sentence = h("p", { class: "mc-sentence cnnw-wrap", role: "status" });
  readonly #notes = h("ul", { class: "mc-notes cnnw-soft cnnw-wrap" });
  readonly #maps = h("div");
  readonly #table = h("div");

  constructor(link: Link<MapCheckState>, el: HTMLElement) {
    super(link, el);
    const parts = [this.#progress.element, this.#sentence, this.#notes, this.#maps, this.#table];
    el.append(h("div", { class: "cnnw-stack" }, this.#top, ...parts));
    link.watch(["state", "hint", "badge", "level", "sentence", "notes"], () => this.#paint());
    link.receive("maps", (data) => this.#paintMaps(data));
    // The charts are siblings under the same root.
    link.whenInside(el, ".cnnw-map-check", (root) => link.showBusy(root));
  }

  #paint(): void {
    const { link } = this;
    const [sentence, notes] = [this.#sentence, this.#notes];
    const state = link.get("state");
    this.#paintTop();
    this.#progress.show(state === "running");
    sentence.textContent = link.get("sentence");
    sentence.hidden = !link.get("sentence");
    const warns = link.get("level") === "warn";
    sentence.classList.toggle("cnnw-warning", warns);
    notes.replaceChildren(...link.get("notes").map((note) => h("li", {}, note)));
    notes.hidden = link.get("notes").length === 0;
    this.el.dataset["state"] = state;
  }

  #paintTop(): void {
    const [start, badge, hint] = [this.#start, this.#badge, this.#hint];
    const state = this.link.get("state");
    start.hidden = state === "running" || state === "done";
    start.disabled = state === "empty";
    const label = state === "stopped" ? "Check again" : "Check this map";
    if (start.textContent !== label) start.textContent = start.ariaLabel = start.title = label;
    badge.textContent = this.link.get("badge");
    badge.hidden = !this.link.get("badge");
    badge.dataset["level"] = this.link.get("level");
    hint.textContent = [state === "idle" && WHAT, this.link.get("hint")].filter(Boolean).join(" ");
    hint.hidden = hint.textContent === "";
    this.#top.hidden = start.hidden && badge.hidden && hint.hidden;
  }

  #paintMaps({ id, arrays: { maps }, content }: Data): void {
    const open = this.#table.querySelector("details")?.open ?? false;
    const table = maps && numbers(content as MapsContent, open);
    this.#maps.replaceChildren(...(maps ? [strip(maps, content as MapsContent)] : []));
    this.#table.replaceChildren(...(table ? [table] : []));
    this.el.dataset["painted"] = String(id);
  }
}

export default entry<MapCheckState>("map-check-panel", MapCheckView);
