/** The places that excite a filter: patches with what the filter does there drawn over them. */
import { drawActivation, strongest } from "../_maps/mosaic";
import { checkbox, h, tell } from "../_shared/dom";
import { number } from "../_shared/format";
import { type Link, View } from "../_shared/view";
import { type FilterPanelState, type Patches, patchesOf } from "./content";

export class Places extends View<FilterPanelState> {
  readonly #box = checkbox(
    "Activation",
    (on) => this.link.set("activation", on),
    "Draw over the patches how strongly the filter answers there, on one scale for all",
  );
  readonly #source = h("p", { class: "cnnw-small cnnw-soft" });
  readonly #grid = h("div", { class: "fp-grid", role: "list", "aria-label": "Places that excite the filter most" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #sentence = h("p", { class: "fp-sentence" });
  readonly element: HTMLElement;
  patches: Patches | null = null;

  constructor(link: Link<FilterPanelState>, work: HTMLElement) {
    super(link);
    const aside = h("span", { class: "cnnw-aside" }, this.#box.element);
    const heading = h("div", { class: "cnnw-heading" }, "Places that excite it most", aside);
    const below = [this.#grid, this.#source, this.#sentence, this.#notes];
    this.element = h("section", { class: "fp-places cnnw-stack" }, heading, work, ...below);
    link.receive("places", (data) => {
      this.patches = patchesOf(data);
      this.#paint();
    });
    link.watch(["activation", "source"], () => this.#paint());
    link.watch(["sentence"], () => this.#paintSentence());
  }

  #paint(): void {
    const { patches = [], notes = [], partial = false } = this.patches ?? {};
    const overlaid = this.link.get("activation");
    this.#box.input.checked = overlaid;
    this.#box.element.hidden = patches.length === 0;
    this.#source.textContent = patches.length > 0 ? this.link.get("source") : "";
    const limit = strongest(patches.flatMap(({ map }) => map ?? []));
    this.#grid.classList.toggle("is-partial", partial);
    this.#grid.replaceChildren(
      ...patches.map(({ picture, map, value, name, extent }, at) => {
        const label = `${at + 1}. ${name}: activation ${number(value)}`;
        const canvas = h("canvas", { role: "img", "aria-label": label });
        drawActivation(canvas, picture, overlaid ? map : null, limit, extent);
        const caption = h("span", { class: "cnnw-small cnnw-soft cnnw-figures" }, number(value));
        return h("div", { class: "fp-place", role: "listitem", title: label, "data-rank": at }, canvas, caption);
      }),
    );
    this.#notes.replaceChildren(...notes.map((note) => h("p", { class: "cnnw-warning cnnw-small" }, note)));
  }

  #paintSentence(): void {
    tell(this.#sentence, this.link.get("sentence"));
  }
}
