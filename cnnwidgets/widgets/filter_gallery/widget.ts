/** The filters of a layer, a cell each: pictures that excite it, its number, how strongly. */
import { pictureCanvas } from "../_maps/mosaic";
import { button, claim, h, menu } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { Progress, type ProgressState } from "../_shared/progress";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { captionOf, type Filter, type Filters, filtersOf, labelOf, moveIn, sorted } from "./cells";
import { gallerySheet } from "./save";
import "./widget.css";

export interface FilterGalleryState extends ProgressState {
  layer: string;
  channel: number | null;
  sort: "index" | "value";
  makes: boolean;
}

const SORTS = [
  ["index", "sorted by index"],
  ["value", "sorted by activation"],
] as const;

const NONE = "There are no pictures of filters yet.";

class FilterGalleryView extends RootView<FilterGalleryState> {
  #filters: Filters | null = null;
  #active = 0;
  readonly #title = h("span", { class: "cnnw-cut" }, "Filters");
  readonly #size = h("span", { class: "cnnw-small cnnw-soft" });
  readonly #sort = menu("Sort", SORTS, this.link.get("sort"), (sort) => this.link.set("sort", sort as "index"));
  readonly #save = new SaveButton(() => this.#sheet(), "Save the sheet of filters as a PNG");
  readonly #start = button("Make images", () => this.link.command("start"), {
    title: "Make the images that maximise filters of this layer, those first that the photograph excites most",
  });
  readonly #making = new Progress(this.link, "Progress of the images");
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #empty = h("p", { class: "cnnw-empty", role: "status" }, NONE);
  readonly #cells = h("div", { class: "fg-cells", role: "listbox" });

  constructor(link: Link<FilterGalleryState>, el: HTMLElement) {
    super(link, el);
    const aside = h("span", { class: "cnnw-aside cnnw-line" }, this.#size, this.#sort, this.#save.element);
    const heading = h("div", { class: "cnnw-heading" }, this.#title, aside);
    const work = h("div", { class: "cnnw-row" }, this.#start, this.#making.element);
    el.append(h("div", { class: "cnnw-stack" }, heading, work, this.#notes, this.#empty, this.#cells));
    this.#cells.addEventListener("click", (event) => this.#onClick(event));
    this.#cells.addEventListener("keydown", (event) => this.#onKey(event));
    this.#save.allow(false);
    link.receive("filters", (data) => this.#onFilters(data));
    link.watch(["makes", "progress", "layer"], () => this.#paintStart());
    link.watch(["sort"], () => {
      this.#sort.value = link.get("sort");
      this.#paint();
    });
    link.watch(["channel"], () => this.#select(link.get("channel")));
  }

  #onFilters(data: Data): void {
    this.#filters = filtersOf(data);
    const layer = String(data.content["layer"] ?? "");
    this.#title.replaceChildren("Filters", layer && " of ", layer && h("bdi", {}, layer));
    this.#title.title = layer;
    this.#empty.textContent = String(data.content["message"] || NONE);
    this.#empty.hidden = this.#filters !== null;
    this.#notes.replaceChildren(...(this.#filters?.notes ?? []).map((note) => h("p", { class: "cnnw-warning" }, note)));
    this.#save.allow(this.#filters !== null);
    this.#paintStart();
    this.#paint();
    this.el.dataset["painted"] = String(data.id);
  }

  #paintStart(): void {
    const running = this.link.get("progress") !== null;
    this.#making.show(running);
    this.#start.hidden = running || !this.link.get("makes");
    const label = this.#filters ? "Make more images" : "Make images";
    if (this.#start.textContent !== label) this.#start.textContent = this.#start.ariaLabel = label;
  }

  #inOrder(): Filter[] {
    return sorted(this.#filters?.filters ?? [], this.link.get("sort"));
  }

  #paint(): void {
    const filters = this.#inOrder();
    const { layer = "", unit = "", names = [] } = this.#filters ?? {};
    this.#cells.hidden = this.#sort.hidden = filters.length === 0;
    this.#size.textContent =
      filters.length > 0 ? `${filters.length} ${filters.length === 1 ? "filter" : "filters"}` : "";
    this.#cells.setAttribute("aria-label", `Filters of ${layer}`);
    this.#cells.style.setProperty("--pictures", String(names.length));
    this.#cells.replaceChildren(...filters.map((filter) => cell(filter, unit, names)));
    this.#active = 0;
    this.#select(this.link.get("channel"));
  }

  #all(): HTMLElement[] {
    return [...this.#cells.children] as HTMLElement[];
  }

  #select(channel: number | null): void {
    const all = this.#all();
    const at = all.findIndex((own) => own.dataset["channel"] === String(channel));
    if (at >= 0) this.#active = at;
    for (const [position, own] of all.entries()) {
      own.setAttribute("aria-selected", String(position === at));
      own.tabIndex = position === this.#active ? 0 : -1;
    }
    all[at]?.scrollIntoView({ block: "nearest" });
  }

  #onClick(event: MouseEvent): void {
    const own = (event.target as Element).closest<HTMLElement>("[data-channel]");
    if (own) this.link.set("channel", Number(own.dataset["channel"]));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const all = this.#all();
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Enter" || event.key === " ") all[at]?.click();
    else {
      const columns = all.filter((own) => own.offsetTop === all[0]!.offsetTop).length;
      const to = moveIn(event.key, at, all.length, columns);
      if (to === null) return;
      all[at]!.tabIndex = -1;
      all[to]!.tabIndex = 0;
      this.#active = to;
      all[to]!.focus();
    }
    claim(event);
  }

  #sheet(): Png | null {
    if (!this.#filters) return null;
    const title = titleOf(this.link.model, `Filters of ${this.#filters.layer}`);
    return { canvas: gallerySheet(title, this.#filters, this.#inOrder()), name: fileName(...title) };
  }
}

function cell(filter: Filter, unit: string, names: readonly string[]): HTMLElement {
  const label = labelOf(filter, unit);
  const pictures = filter.pictures.map((picture, at) => pictureCanvas(picture, names[at] || "Picture"));
  const number = h("b", {}, String(filter.channel));
  const caption = h("span", { class: "fg-caption cnnw-small cnnw-soft cnnw-figures" }, number, captionOf(filter));
  const option = {
    role: "option",
    class: "fg-cell",
    "data-channel": filter.channel,
    "aria-label": label,
    title: label,
  };
  return h("div", option, h("span", { class: "fg-pictures" }, ...pictures), caption);
}

export default entry<FilterGalleryState>("filter-gallery", FilterGalleryView);
