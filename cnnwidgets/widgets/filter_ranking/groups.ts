/** Groups of filters: each a colour over the photograph, its strongest filters, its weight in the class. */
import { pictureCanvas } from "../_maps/mosaic";
import { type Photo, photoCanvas, photoOf } from "../_maps/photo";
import { paintSize } from "../_maps/resample";
import { checkbox, contextOf, h, putImage } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { type Link, View } from "../_shared/view";
import {
  type FilterRankingState,
  GROUP_COLOURS,
  type GroupPlace,
  type Groups,
  groupPixels,
  groupPlacesOf,
  groupsOf,
} from "./content";

const FEW = 5;

export class GroupList extends View<FilterRankingState> {
  readonly canvas = h("canvas", {
    class: "fr-photo",
    role: "img",
    "aria-label": "Groups of filters over the photograph",
  });
  readonly #explained = h("p", { class: "cnnw-small cnnw-soft" });
  readonly #rows = h("ul", { class: "fr-groups cnnw-small", "aria-label": "Groups of filters" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #side = h("div", { class: "cnnw-stack" }, this.#rows, this.#explained, this.#notes);
  readonly element = h("div", { class: "fr-grouped" }, this.canvas, this.#side);
  groups: Groups | null = null;
  places: GroupPlace[][] = [];
  #photo: Photo | null = null;

  constructor(link: Link<FilterRankingState>) {
    super(link);
    link.receive("picture", (data) => {
      this.#photo = photoOf(data);
      this.#paint();
    });
    link.receive("groups", (data) => {
      this.groups = groupsOf(data);
      this.#paint();
    });
    link.receive("group_places", (data) => {
      this.places = groupPlacesOf(data);
      this.#paint();
    });
    link.watch(["hidden", "hideable"], () => this.#paint());
  }

  #paint(): void {
    const { groups } = this;
    this.element.hidden = groups === null;
    if (!groups) return;
    this.#paintPhoto(groups);
    const focused = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>("[data-group]")?.dataset[
      "group"
    ];
    this.#rows.replaceChildren(...groups.maps.map((_, group) => this.#row(groups, group)));
    if (focused) this.#rows.querySelector<HTMLElement>(`[data-group="${focused}"] input`)?.focus();
    const kind = groups.signed ? "; filters may count against a group" : "";
    this.#explained.textContent = `The groups make up ${percent(groups.explained)} of the layer's maps${kind}.`;
    this.#notes.replaceChildren(...groups.notes.map((note) => h("p", { class: "cnnw-warning" }, note)));
  }

  #paintPhoto(groups: Groups): void {
    const { canvas } = this;
    const size = paintSize(this.#photo?.size ?? groups.size, groups.size);
    [canvas.height, canvas.width] = size;
    const context = contextOf(canvas);
    if (this.#photo) context.drawImage(photoCanvas(this.#photo), 0, 0, size[1], size[0]);
    const colours = document.createElement("canvas");
    const pixels = groupPixels(groups, new Set(this.link.get("hidden")), size);
    putImage(colours, new ImageData(pixels, size[1], size[0]));
    context.drawImage(colours, 0, 0);
  }

  #row({ channels, parts, weights }: Groups, group: number): HTMLElement {
    const hidden = this.link.get("hidden");
    const swatch = h("span", { class: "fr-swatch", "aria-hidden": "true" });
    swatch.style.background = `rgb(${GROUP_COLOURS[group % GROUP_COLOURS.length]!.join()})`;
    const members = channels[group]!.slice(0, FEW).map((channel, at) => {
      const choose = () => this.link.command("choose", { channel });
      const title = `Look at filter ${channel}: ${number(parts[group]![at]!)} of it in this group`;
      return h("button", { type: "button", class: "cnnw-plain fr-name", title, onclick: choose }, String(channel));
    });
    const draw = (on: boolean) => {
      const others = hidden.filter((other) => other !== group);
      const next = on ? others : [...others, group];
      this.link.set(
        "hidden",
        next.sort((a, b) => a - b),
      );
    };
    const box = checkbox(`Group ${group + 1}`, draw, "Draw the places of this group over the photograph");
    box.input.checked = !hidden.includes(group);
    box.input.disabled = !this.link.get("hideable");
    const weight = weights ? `${number(weights[group]!)} of the score` : "";
    const filters = h("span", { class: "fr-members" }, ...members);
    const patches = (this.places[group] ?? []).map(({ picture, label }) => {
      const canvas = pictureCanvas(picture, `Place that excites group ${group + 1}, ${label}`);
      canvas.title = `The group's filters together, by their parts in it, ${label}`;
      return canvas;
    });
    const places = patches.length > 0 && h("span", { class: "fr-patches" }, ...patches);
    const figures = h("span", { class: "cnnw-figures" }, weight);
    return h("li", { "data-group": group }, swatch, box.element, filters, figures, places);
  }
}
