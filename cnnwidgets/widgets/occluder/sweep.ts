/** The sweep: ask for it, follow it, look at it in three ways. */
import type { Photo } from "../_maps/photo";
import { button, h, tell } from "../_shared/dom";
import { Progress } from "../_shared/progress";
import { Segmented } from "../_shared/segmented";
import { type Link, View } from "../_shared/view";
import { pixelField } from "./controls";
import type { Editor } from "./editor";
import { starts } from "./geometry";
import { classList, dropScale } from "./legend";
import { SweepMap } from "./map";
import { type OccluderState, placesText, type SweepView } from "./state";
import { classColours, countsOf, isMadeWith, madeOf, type Settings, type Swept } from "./swept";

const VIEWS = [
  { value: "drop", label: "Drop", title: "How much the score drops with the patch at each place" },
  { value: "class", label: "Class", title: "The class with the highest score at each place" },
  { value: "counts", label: "Counts", title: "At how many places each class has the highest score" },
];

const SWEEP = "Put the patch at each place of a grid, and note the scores";
const STRIDE = "Pixels from one place to the next; empty: half the patch";

export class SweepPanel extends View<OccluderState> {
  readonly element = h("div", { class: "oc-sweep cnnw-stack" });
  readonly figure = new SweepMap((position) => this.onprobe(position));
  /** Of the classes of the map. */
  colours: ReadonlyMap<number, string> = new Map();
  #photo: Photo | null = null;
  #swept: Swept | null = null;
  readonly #start = button("Sweep", () => this.#sweep(), { title: SWEEP });
  readonly #stride = pixelField("Stride of the sweep in pixels", STRIDE, (pixels) => this.#setStride(pixels));
  readonly #places = h("span", { class: "cnnw-soft", title: SWEEP });
  readonly #form = h("div", { class: "cnnw-row" });
  readonly #progress = new Progress(this.link, "Progress of the sweep");
  readonly #status = h("p", { class: "cnnw-soft", role: "status" });
  readonly #views = new Segmented("View of the sweep", (value) => this.link.set("view", value as SweepView));
  readonly #legend = h("div", { class: "oc-legend cnnw-stack" });
  /** What is said of the place that the reader points at. */
  readonly reading = h("p", { class: "oc-reading cnnw-soft cnnw-wrap cnnw-figures" });
  readonly #source = h("p", { class: "cnnw-small cnnw-soft" });
  readonly #stale = h("p", { class: "oc-stale", role: "status" });
  readonly #result = h("div", { class: "oc-found oc-columns cnnw-stack" });

  constructor(
    link: Link<OccluderState>,
    private readonly editor: Editor,
    /** Gets the place that the reader points at; null: none. */
    private readonly onprobe: (position: number | null) => void,
  ) {
    super(link);
    const strideLabel = h("label", { class: "cnnw-line cnnw-soft", title: STRIDE }, "Stride ", this.#stride, " px");
    this.#form.append(this.#start, strideLabel, this.#places);
    const left = h("div", { class: "oc-left cnnw-stack" }, this.figure.element, this.#source, this.#stale);
    const beside = h("div", { class: "cnnw-stack" }, this.#views.element, this.#legend, this.reading);
    this.#result.append(left, beside);
    this.element.append(this.#form, this.#progress.element, this.#status, this.#result);
    link.watch(["sweep", "sweep_text", "view", "can_sweep", "size", "stride", "fill", "color"], () => this.#paint());
  }

  update(photo: Photo | null, swept: Swept | null): void {
    if (!swept) this.colours = new Map();
    this.#photo = photo;
    this.#swept = swept;
    this.#paint();
  }

  #sweep(): void {
    this.editor.stopPicking();
    this.link.command("sweep", { ...this.#settings() });
  }

  #settings(): Settings {
    const size = this.link.get("size");
    const stride = this.link.get("stride") ?? Math.max(1, Math.floor(size / 2));
    return { size, stride, fill: this.link.get("fill"), color: this.link.get("color") };
  }

  #setStride(pixels: number): void {
    this.link.set("stride", pixels >= 1 ? pixels : null);
    this.#paintForm();
  }

  #paint(): void {
    const [photo, swept] = [this.#photo, this.#swept];
    const state = this.link.get("sweep");
    this.element.hidden = !photo || (!this.link.get("can_sweep") && state === "none");
    this.#form.hidden = !this.link.get("can_sweep");
    this.#progress.show(state === "running");
    tell(this.#status, this.link.get("sweep_text"));
    this.#paintForm();
    this.#result.hidden = !swept || !photo;
    const view = this.link.get("view");
    this.#views.update(VIEWS, view);
    if (!swept || !photo) return;
    this.#source.textContent = madeOf(swept);
    this.colours = classColours(countsOf(swept), swept.first, this.colours);
    this.figure.update(photo, swept, view === "drop" ? "drop" : "class", this.colours);
    const legend = view === "drop" ? dropScale(swept) : classList(swept, this.colours, view === "counts");
    this.#legend.replaceChildren(legend);
    this.element.dataset["drawn"] = String(swept.id);
  }

  #paintForm(): void {
    const [photo, swept, stale] = [this.#photo, this.#swept, this.#stale];
    const settings = this.#settings();
    const { size, stride, fill } = settings;
    const fits = photo !== null && size <= Math.min(...photo.size);
    const count = photo ? photo.size.reduce((product, side) => product * starts(side, size, stride).length, 1) : 0;
    if (document.activeElement !== this.#stride) this.#stride.value = String(stride);
    const running = this.link.get("sweep") === "running";
    this.#start.disabled = !fits || fill === "copy" || count < 2 || running;
    const hint = count < 2 ? ": choose a smaller one, or a smaller stride." : "";
    const places = fits ? `${size} px patch at ${placesText(count)}${hint}` : "The patch is larger than the picture.";
    const copies = "A sweep cannot copy another place: choose another fill.";
    this.#places.textContent = fill === "copy" ? copies : places;
    const differs = swept !== null && photo !== null && !isMadeWith(swept, settings, photo.size);
    const text = differs && this.link.get("can_sweep") && !running ? "Settings changed: press Sweep again." : "";
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = !text;
  }
}
