/** The sweep: ask for it, follow it, look at it in three ways. */
import { gradient } from "../_shared/colormaps";
import { button, h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import { segmented } from "../heatmap_overlay/segmented";
import type { Photo } from "./fills";
import { starts } from "./geometry";
import { map } from "./map";
import type { State, SweepView } from "./state";
import { coloursOf, countsOf, isMadeWith, limitOf, madeOf, type Swept } from "./swept";
import { hardlyMoves, placesText, signedText } from "./words";

const VIEWS = [
  { value: "drop", label: "Drop", title: "How much the score drops with the patch at each place" },
  { value: "class", label: "Class", title: "The class with the highest score at each place" },
  { value: "counts", label: "Counts", title: "At how many places each class has the highest score" },
];
const LISTED = 9;

export interface Asked {
  size: number;
  stride: number;
}

export function sweep(
  model: Model<State>,
  { ask, cancel, probe }: { ask: (wanted: Asked) => void; cancel: () => void; probe: (place: number | null) => void },
) {
  let photo: Photo | null = null;
  let swept: Swept | null = null;
  let colours: Map<number, string> = new Map();

  const strideNow = () => model.get("stride") ?? Math.max(1, Math.floor(model.get("size") / 2));
  const go = button("Sweep", () => ask({ size: model.get("size"), stride: strideNow() }), {
    title: "Put the patch at each place of a grid, and note the scores",
  });
  const stride = h("input", {
    type: "number",
    class: "oc-number",
    min: 1,
    "aria-label": "Stride of the sweep in pixels",
    title: "Pixels from one place to the next; empty: half the patch",
  });
  stride.addEventListener("change", () => {
    const pixels = Math.round(Number(stride.value));
    assign(model, "stride", pixels >= 1 ? pixels : null);
    paintAsk();
  });
  const places = h("span", { class: "oc-soft" });
  const bar = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": "Progress of the sweep" });
  const told = h("span", { class: "oc-told" });
  const stop = button("Cancel", () => {
    stop.disabled = true;
    cancel();
  });
  const work = h("div", { class: "oc-row oc-work" }, bar, told, stop);
  const said = h("p", { class: "oc-soft", role: "status" });
  const views = segmented("View of the sweep", (value) => assign(model, "view", value as SweepView));
  const figure = map(probe);
  const legend = h("div", { class: "oc-legend" });
  const reading = h("p", { class: "oc-reading" });
  const made = h("p", { class: "oc-soft oc-made" });
  const stale = h("p", { class: "oc-stale", role: "status" });
  const beside = h("div", { class: "oc-beside" }, views.element, legend, reading);
  const found = h("div", { class: "oc-found" }, h("div", { class: "oc-left" }, figure.element, made, stale), beside);
  const line = h("div", { class: "oc-row" }, go, h("label", { class: "oc-label" }, "Stride ", stride, " px"), places);
  const element = h("div", { class: "oc-sweep" }, line, work, said, found);

  function paintAsk(): void {
    const side = model.get("size");
    const fits = photo !== null && side <= Math.min(...photo.size);
    const count = photo
      ? starts(photo.size[0], side, strideNow()).length * starts(photo.size[1], side, strideNow()).length
      : 0;
    if (document.activeElement !== stride) stride.value = String(strideNow());
    const copies = model.get("fill") === "copy";
    go.disabled = !fits || copies || count < 2 || model.get("sweep") === "running";
    places.textContent = copies
      ? "A sweep cannot copy another place: choose another fill."
      : fits
        ? `${side} px patch at ${placesText(count)}${count < 2 ? ": choose a smaller one, or a smaller stride." : ""}`
        : "The patch is larger than the picture.";
    const settings = { size: side, stride: strideNow(), fill: model.get("fill"), color: model.get("color") };
    const differs = swept !== null && photo !== null && !isMadeWith(swept, settings, photo.size);
    const text =
      differs && model.get("can_sweep") && model.get("sweep") !== "running"
        ? "Settings changed: press Sweep again."
        : "";
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = !text;
  }

  function ends(given: Swept): HTMLElement {
    const limit = limitOf(given.drop);
    const strip = h("div", { class: "oc-strip" });
    if (limit > 0) strip.style.background = gradient("blue-red");
    const labels =
      limit > 0
        ? [signedText(-limit, given.unit), "0", signedText(limit, given.unit)]
        : ["", "No place changes the score.", ""];
    const words = h("div", { class: "oc-ends" }, ...labels.map((text) => h("span", {}, text)));
    const text = `Drop of ${given.target}: red where hiding the place costs the score, blue where it helps.`;
    const name = `Colours from ${labels[0]} to ${labels[2]}`;
    const still =
      limit > 0 &&
      hardlyMoves(limit, given.unit) &&
      h("p", {}, "The score hardly moves: all differences are below 0.1 points.");
    return h(
      "div",
      {},
      h("div", { role: "img", "aria-label": name }, strip),
      words,
      still,
      h("p", { class: "oc-soft" }, text),
    );
  }

  function classes(given: Swept, asBars: boolean): HTMLElement {
    const counts = countsOf(given);
    const total = counts.reduce((sum, { places: number }) => sum + number, 0);
    const most = counts[0]?.places ?? 1;
    const rows = counts.slice(0, LISTED).map(({ index, name, places: number }) => {
      const fill = h("i");
      fill.style.width = `${(100 * number) / most}%`;
      const swatch = h("span", { class: "oc-swatch" });
      swatch.style.background = fill.style.background = colours.get(index) ?? "";
      const track = asBars && h("span", { class: "oc-track", "aria-hidden": "true" }, fill);
      const label = index === given.first ? `${name} (as without patch)` : name;
      const text = h("bdi", { class: "oc-name", title: label }, label);
      return h(
        "li",
        { "data-class": index, "data-places": number },
        swatch,
        text,
        track,
        h("span", { class: "oc-value" }, String(number)),
      );
    });
    const more = counts.slice(LISTED);
    const rest =
      more.length > 0 &&
      `and ${more.length} more classes at ${placesText(more.reduce((sum, { places: number }) => sum + number, 0))}`;
    return h(
      "div",
      {},
      h(
        "ul",
        { class: `oc-counts ${asBars ? "has-bars" : ""}`, "aria-label": `Highest score at ${placesText(total)}` },
        ...rows,
      ),
      rest && h("p", { class: "oc-soft" }, rest),
    );
  }

  function paint(): void {
    const state = model.get("sweep");
    element.hidden = !photo || (!model.get("can_sweep") && state === "none");
    line.hidden = !model.get("can_sweep");
    work.hidden = state !== "running";
    if (state !== "running") stop.disabled = false;
    said.textContent = model.get("sweep_text");
    said.hidden = !said.textContent;
    paintAsk();
    found.hidden = !swept || !photo;
    const view = model.get("view");
    views.update(VIEWS, view);
    if (!swept || !photo) return;
    made.textContent = madeOf(swept);
    colours = coloursOf(countsOf(swept), swept.first, colours);
    figure.update(photo, swept, view === "drop" ? "drop" : "class", colours);
    legend.replaceChildren(view === "drop" ? ends(swept) : classes(swept, view === "counts"));
    element.dataset["drawn"] = String(swept.id);
  }

  const offs = [
    watch(model, ["progress", "progress_text"], () => {
      bar.value = model.get("progress") ?? 0;
      told.textContent = model.get("progress_text");
    }),
    watch(model, ["sweep", "sweep_text", "view", "can_sweep", "size", "stride", "fill", "color"], paint),
  ];
  return {
    element,
    figure,
    colours: () => colours,
    read: (text: string) => (reading.textContent = text),
    update(of: Photo | null, now: Swept | null): void {
      if (!now) colours = new Map();
      photo = of;
      swept = now;
      paint();
    },
    stop: () => offs.forEach((off) => off()),
  };
}
