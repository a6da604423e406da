/** Feature maps: the grid, and the selected map large. */
import "../_shared/base.css";
import "./widget.css";
import { command, openChannel, subscribe } from "../_shared/channel";
import { DIVERGING, isColormap, SEQUENTIAL } from "../_shared/colormaps";
import { button, everyFrame, h, menu } from "../_shared/dom";
import { assign, type Model, type RenderContext, watch } from "../_shared/model";
import { opaque } from "../_shared/paint";
import { shell } from "../_shared/shell";
import { titleOf } from "../_shared/title";
import { makeDetail } from "./detail";
import { makeGrid } from "./grid";
import { type Contribution, type Maps, readMaps } from "./maps";
import { SORTS } from "./order";
import type { State } from "./state";
import { makeView, type View } from "./view";

const SCALES = [
  ["map", "scale per map"],
  ["layer", "scale per layer"],
] as const;
const SIZES = [
  ["small", "small"],
  ["medium", "medium"],
  ["large", "large"],
] as const;

function initialize({ model }: { model: Model<State> }): void {
  openChannel(model);
}

function render({ model, el }: RenderContext<State>): () => void {
  const unshell = shell(el, model, "feature-maps");
  let maps: Maps | null = null;
  let given: (Contribution & { mapsId: unknown }) | null = null;
  let picture: HTMLCanvasElement | null = null;
  let view: View | null = null;
  let announced = -1;

  const channel = () => {
    const wanted = model.get("channel");
    return wanted !== null && maps && wanted < maps.count ? wanted : null;
  };
  const look = () => ({ picture, opacity: model.get("opacity"), smooth: model.get("smooth") });
  const choose = (to: number) => assign(model, "channel", to);
  const switchOff = (number: number, off: boolean) => {
    const others = model.get("off").filter((other) => other !== number);
    assign(
      model,
      "off",
      (off ? [...others, number] : others).sort((a, b) => a - b),
    );
  };
  const close = () => {
    assign(model, "channel", null);
    grid.focus();
  };

  /** Once a push: for whoever measures from click to paint. */
  function announce(layer: string, id: number) {
    if (id === announced) return;
    announced = id;
    el.dataset["painted"] = layer;
    el.dataset["paintedId"] = String(id);
    el.dispatchEvent(new CustomEvent("cnnw-painted", { bubbles: true, detail: { layer, id } }));
  }

  const grid = makeGrid(choose, ({ maps: painted }) => announce(painted.layer, painted.id));
  const detail = makeDetail({
    title: (shown) => titleOf(model, shown),
    choose,
    close,
    switchOff,
    setSmooth: (smooth) => assign(model, "smooth", smooth),
    setOpacity: (opacity, done) => {
      model.set("opacity", opacity);
      if (done) model.save_changes();
    },
  });
  const pick = <K extends "sort" | "scale" | "colormap" | "cell_size">(
    name: K,
    label: string,
    choices: readonly (readonly [State[K] & string, string])[],
  ) => menu(label, choices, model.get(name), (value) => assign(model, name, value as State[K]));
  const menus = {
    sort: pick("sort", "Sort", SORTS),
    scale: pick("scale", "Scale", SCALES),
    colormap: pick("colormap", "Colour map", [...SEQUENTIAL, ...DIVERGING]),
    cell_size: pick("cell_size", "Size", SIZES),
  };

  const title = h("span", { class: "fm-title" });
  const size = h("span", { class: "fm-size" });
  const bar = h("span", { class: "cnnw-aside fm-menus" }, size, ...Object.values(menus));
  const notes = h("div", { class: "fm-notes" });
  const effect = h("span", { "aria-live": "polite" });
  const switched = h(
    "p",
    { class: "fm-switched", hidden: true },
    effect,
    button("Switch all on", () => command(model, "switch_all_on"), {
      title: "Let the network have all its maps again",
    }),
  );
  const empty = h("p", { class: "cnnw-empty", role: "status" });
  const body = h(
    "div",
    { class: "fm-body" },
    h("div", { class: "fm-maps" }, notes, switched, grid.element),
    detail.element,
  );
  const root = h("div", { class: "fm-root" }, h("div", { class: "cnnw-heading" }, title, bar), empty, body);
  el.append(root);

  function refresh() {
    if (!maps) return;
    const own = given?.mapsId === maps.id ? given : null;
    view = makeView(maps, own, (name) => model.get(name));
    const byContribution = [...menus.sort.options].find((option) => option.value === "contribution");
    if (byContribution) byContribution.disabled = own === null;
    grid.show(view, channel());
    detail.show(view, channel(), look());
    showSwitches();
  }

  function receive(layer: string, message: string) {
    title.replaceChildren("Feature maps", layer && " of ", layer && h("bdi", {}, layer));
    title.title = layer;
    body.hidden = bar.hidden = maps === null;
    empty.hidden = maps !== null;
    empty.textContent = message;
    notes.replaceChildren(...(maps?.notes ?? []).map((note) => h("p", { class: "fm-note" }, note)));
    size.textContent = maps
      ? `${maps.count} ${maps.count === 1 ? "channel" : "channels"} · ${maps.height} × ${maps.width}`
      : "";
  }
  receive("", "Select a layer in the graph.");

  function showSwitches() {
    const [off, selected] = [model.get("off"), channel()];
    grid.switchOff(new Set(off));
    detail.setSwitch(model.get("switchable") && selected !== null ? off.includes(selected) : null);
    effect.textContent = model.get("effect");
    switched.hidden = !model.get("effect");
  }

  const restyled = everyFrame(() => detail.restyle(look()));
  const offs = [
    subscribe(model, "picture", (data) => {
      const pixels = data.arrays["pixels"];
      picture = pixels ? canvasOf(pixels.data as Uint8Array, pixels.shape) : null;
      if (view) detail.restyle(look());
    }),
    subscribe(model, "contribution", (data) => {
      const values = data.arrays["values"];
      const target = String(data.content["target"] ?? "");
      given = values ? { values: values.data, target, mapsId: data.content["maps_id"] } : null;
      refresh();
    }),
    subscribe(model, "maps", (data) => {
      maps = readMaps(data);
      const message = data.content["message"];
      const layer = String(data.content["layer"] ?? "");
      receive(layer, String(message || "Select a layer in the graph."));
      refresh();
      if (!maps) announce(layer, data.id);
    }),
    watch(model, ["sort", "scale", "colormap", "cell_size"], () => {
      for (const [name, select] of Object.entries(menus)) select.value = model.get(name as keyof typeof menus);
      if (isColormap(model.get("colormap"))) refresh();
    }),
    watch(model, ["off", "effect", "switchable"], showSwitches),
    watch(model, ["channel"], () => {
      grid.select(channel());
      showSwitches();
      if (view) detail.show(view, channel(), look());
    }),
    watch(model, ["opacity", "smooth"], restyled.request),
  ];
  const keys = (event: KeyboardEvent) => {
    const selected = channel();
    if (event.key === "0" && model.get("switchable") && selected !== null && !event.ctrlKey && !event.metaKey) {
      switchOff(selected, !model.get("off").includes(selected));
      event.stopPropagation();
    }
    if (event.key !== "Escape" || model.get("channel") === null) return;
    event.stopPropagation();
    close();
  };
  el.addEventListener("keydown", keys);

  return () => {
    offs.forEach((off) => off());
    el.removeEventListener("keydown", keys);
    restyled.cancel();
    grid.remove();
    unshell();
  };
}

function canvasOf(rgb: Uint8Array, [height = 1, width = 1]: number[]): HTMLCanvasElement {
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d")?.putImageData(new ImageData(opaque(rgb), width, height), 0, 0);
  return canvas;
}

export default { initialize, render };
