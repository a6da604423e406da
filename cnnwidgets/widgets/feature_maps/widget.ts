/** Feature maps: the grid, and the selected map large. */
import { DIVERGING, isColormap, SEQUENTIAL } from "../_maps/colormaps";
import { COLOURS } from "../_maps/controls";
import { photoCanvas, photoOf } from "../_maps/photo";
import { button, everyFrame, h, menu } from "../_shared/dom";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { passWheelOn } from "../_shared/wheel";
import { Detail, switchChannel } from "./detail";
import { TileGrid } from "./grid";
import type { LargeLook } from "./large";
import { type Contribution, type FeatureMapsState, type Maps, type MapsView, makeView, readMaps, SORTS } from "./view";
import "./widget.css";

const SCALES = [
  ["map", "scale per map"],
  ["layer", "scale per layer"],
] as const;
const SIZES = [
  ["small", "small"],
  ["medium", "medium"],
  ["large", "large"],
] as const;
type MenuName = "sort" | "scale" | "colormap" | "cell_size";
const CHANNELS = "How many maps the layer has (its channels), and their height and width in numbers";
const HINT = "Select a layer in the graph.";

class FeatureMapsView extends RootView<FeatureMapsState> {
  #maps: Maps | null = null;
  #contribution: (Contribution & { mapsId: unknown }) | null = null;
  #picture: HTMLCanvasElement | null = null;
  #view: MapsView | null = null;
  /** Id of the push that was last said to be painted. */
  #announced = -1;
  readonly #grid = new TileGrid(
    (channel) => this.link.set("channel", channel),
    ({ maps }) => this.#announce(maps.layer, maps.id),
  );
  readonly #detail = new Detail(this.link, () => this.#closeDetail());
  readonly #menus = {
    sort: this.#menu(
      "sort",
      ["Sort", "Which maps come first; contribution: what a map adds to the score of the class"],
      SORTS,
    ),
    scale: this.#menu("scale", ["Scale", "What the colours span: the numbers of each map, or those of all"], SCALES),
    colormap: this.#menu("colormap", ["Colour map", COLOURS], [...SEQUENTIAL, ...DIVERGING]),
    cell_size: this.#menu("cell_size", ["Size", "How large the maps are drawn"], SIZES),
  };
  readonly #title = h("span", { class: "fm-title cnnw-cut" });
  readonly #size = h("span", { class: "cnnw-aside fm-size", title: CHANNELS });
  readonly #bar = h("span", { class: "fm-menus cnnw-row" }, ...Object.values(this.#menus));
  readonly #notes = h("div", { class: "fm-notes" });
  readonly #effect = h("span", { "aria-live": "polite" });
  readonly #switches = h("p", { class: "fm-switched cnnw-strip cnnw-line cnnw-figures", hidden: true }, this.#effect);
  readonly #empty = h("p", { class: "cnnw-empty", role: "status" });
  readonly #body = h("div", { class: "fm-body cnnw-stack" });

  constructor(link: Link<FeatureMapsState>, el: HTMLElement) {
    super(link, el);
    const allOn = { title: "Let the network have all its maps again" };
    const switchAllOn = button("Switch all on", () => link.command("switch_all_on"), allOn);
    switchAllOn.classList.add("cnnw-end");
    this.#switches.append(switchAllOn);
    const left = h("div", { class: "fm-maps" }, this.#notes, this.#switches, this.#grid.element);
    this.#body.append(left, this.#detail.element);
    const heading = h("div", { class: "cnnw-heading" }, this.#title, this.#size, this.#bar);
    el.append(h("div", { class: "fm-root" }, heading, this.#empty, this.#body));
    this.#paintHead("", HINT);
    this.#listen();
  }

  #menu<K extends MenuName>(
    name: K,
    [label, title]: readonly [string, string],
    choices: readonly (readonly [FeatureMapsState[K], string])[],
  ): HTMLSelectElement {
    const set = (value: string) => this.link.set(name, value as FeatureMapsState[K]);
    return menu(label, choices, this.link.get(name), set, title);
  }

  #listen(): void {
    const { link, el } = this;
    const restyling = everyFrame(() => this.#detail.restyle(this.#look()));
    link.receive("picture", (data) => {
      const photo = photoOf(data);
      this.#picture = photo && photoCanvas(photo);
      if (this.#view) this.#detail.restyle(this.#look());
    });
    link.receive("contribution", ({ arrays: { values }, content }) => {
      const target = String(content["target"] ?? "");
      this.#contribution = values ? { values: values.data, target, mapsId: content["maps_id"] } : null;
      this.#refresh();
    });
    link.receive("maps", (data) => this.#onMaps(data));
    link.watch(["sort", "scale", "colormap", "cell_size"], () => {
      for (const [name, select] of Object.entries(this.#menus)) select.value = link.get(name as MenuName);
      if (isColormap(link.get("colormap"))) this.#refresh();
    });
    link.watch(["off", "effect", "switchable"], () => this.#paintSwitches());
    link.watch(["channel"], () => {
      this.#grid.select(this.#channel());
      this.#paintSwitches();
      this.#paintDetail();
    });
    link.watch(["opacity", "smooth"], restyling.request);
    const onKey = (event: KeyboardEvent) => this.#onKey(event);
    el.addEventListener("keydown", onKey);
    passWheelOn(this.#grid.element);
    link.onClose(() => {
      el.removeEventListener("keydown", onKey);
      restyling.cancel();
      this.#grid.close();
    });
  }

  #onMaps(data: Data): void {
    const layer = String(data.content["layer"] ?? "");
    this.#maps = readMaps(data);
    this.#paintHead(layer, String(data.content["message"] || HINT));
    this.#refresh();
    if (!this.#maps) this.#announce(layer, data.id);
  }

  #channel(): number | null {
    const channel = this.link.get("channel");
    return channel !== null && this.#maps && channel < this.#maps.count ? channel : null;
  }

  #look(): LargeLook {
    return { picture: this.#picture, opacity: this.link.get("opacity"), smooth: this.link.get("smooth") };
  }

  #closeDetail(): void {
    this.link.set("channel", null);
    this.#grid.focus();
  }

  /** Once a push: for whoever measures from click to paint. */
  #announce(layer: string, id: number): void {
    if (id === this.#announced) return;
    this.#announced = id;
    this.el.dataset["painted"] = layer;
    this.el.dataset["paintedId"] = String(id);
    this.el.dispatchEvent(new CustomEvent("cnnw-painted", { bubbles: true, detail: { layer, id } }));
  }

  #refresh(): void {
    if (!this.#maps) return;
    const contribution = this.#contribution?.mapsId === this.#maps.id ? this.#contribution : null;
    this.#view = makeView(this.#maps, contribution, (name) => this.link.get(name));
    const byContribution = [...this.#menus.sort.options].find((option) => option.value === "contribution");
    if (byContribution) byContribution.disabled = contribution === null;
    this.#grid.show(this.#view, this.#channel());
    this.#paintDetail();
    this.#paintSwitches();
  }

  #paintDetail(): void {
    if (this.#view) this.#detail.show(this.#view, this.#channel(), this.#look());
  }

  #paintHead(layer: string, message: string): void {
    const maps = this.#maps;
    this.#title.replaceChildren("Feature maps", layer && " of ", layer && h("bdi", {}, layer));
    this.#title.title = layer;
    this.#body.hidden = this.#bar.hidden = maps === null;
    this.#empty.hidden = maps !== null;
    this.#empty.textContent = message;
    const notes = maps?.notes ?? [];
    this.#notes.replaceChildren(...notes.map((note) => h("p", { class: "fm-note cnnw-above cnnw-warning" }, note)));
    const channels = maps && `${maps.count} ${maps.count === 1 ? "channel" : "channels"}`;
    this.#size.textContent = maps ? `${channels} · ${maps.height} × ${maps.width}` : "";
  }

  #paintSwitches(): void {
    const [off, channel] = [this.link.get("off"), this.#channel()];
    this.#grid.switchOff(new Set(off));
    this.#detail.setSwitch(this.link.get("switchable") && channel !== null ? off.includes(channel) : null);
    this.#effect.textContent = this.link.get("effect");
    this.#switches.hidden = !this.link.get("effect");
  }

  #onKey(event: KeyboardEvent): void {
    const channel = this.#channel();
    if (event.key === "0" && this.link.get("switchable") && channel !== null && !event.ctrlKey && !event.metaKey) {
      switchChannel(this.link, channel, !this.link.get("off").includes(channel));
      event.stopPropagation();
    }
    if (event.key !== "Escape" || this.link.get("channel") === null) return;
    event.stopPropagation();
    this.#closeDetail();
  }
}

export default entry<FeatureMapsState>("feature-maps", FeatureMapsView);
