/** One filter: the places that excite it, and the image that maximises it; its kernel is a neighbour in the box. */
import { button, h } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { Progress } from "../_shared/progress";
import { entry, type Link, RootView } from "../_shared/view";
import type { FilterPanelState } from "./content";
import { Made } from "./made";
import { Places } from "./places";
import { panelSheet } from "./save";
import "./widget.css";

class FilterPanelView extends RootView<FilterPanelState> {
  readonly #searching = new Progress(this.link, "Progress of the search");
  readonly #making = new Progress(this.link, "Progress of the image");
  readonly #search = button("Find its places", () => this.link.command("start", { job: "places" }), {
    title: "Search the images at hand for the patches that excite this filter most",
  });
  readonly #stopped = { places: h("p", { class: "cnnw-soft", role: "status" }), image: h("p", { class: "cnnw-soft" }) };
  readonly #places = new Places(
    this.link,
    h("div", { class: "cnnw-stack" }, this.#searching.element, this.#stopped.places, this.#search),
  );
  readonly #image = new Made(this.link, h("div", {}, this.#making.element, this.#stopped.image));
  readonly #title = h("span", { class: "cnnw-cut" });
  readonly #save = new SaveButton(() => this.#sheet(), "Save the filter as a PNG: kernel, places, image");
  readonly #head = h(
    "div",
    { class: "cnnw-heading fp-head" },
    this.#title,
    h("span", { class: "cnnw-aside" }, this.#save.element),
  );
  readonly #noKernel = h("p", { class: "fp-no-kernel cnnw-small cnnw-soft" });
  readonly #hint = h("p", { class: "cnnw-empty fp-hint", role: "status" });

  constructor(link: Link<FilterPanelState>, el: HTMLElement) {
    super(link, el);
    el.append(this.#head, this.#hint, this.#noKernel, this.#places.element, this.#image.element);
    // What was stopped is over when there is something new.
    link.receive("image", () => this.#stopped.image.replaceChildren());
    link.receive("places", (data) => {
      this.#stopped.places.replaceChildren();
      this.#paint();
      el.dataset["painted"] = String(data.id);
    });
    link.receive("stopped", ({ content }) => {
      for (const [job, line] of Object.entries(this.#stopped)) {
        line.textContent = content["job"] === job ? String(content["message"] ?? "") : "";
      }
      this.#paint();
    });
    link.watch(["layer", "channel", "hint", "job"], () => this.#paint());
    link.whenInside(el, ".cnnw-filter-panel", (root) => {
      link.showBusy(root);
      link.watch(["hint", "no_kernel"], () => {
        const [hint, why] = [link.get("hint"), link.get("no_kernel")];
        root.classList.toggle("is-without-kernel", hint !== "" || why !== "");
        this.#noKernel.textContent = why;
        this.#noKernel.hidden = hint !== "" || why === "";
      });
    });
  }

  #paint(): void {
    const { link } = this;
    const [hint, job, channel] = [link.get("hint"), link.get("job"), link.get("channel")];
    const { patches } = this.#places;
    this.#hint.hidden = hint === "";
    this.#hint.textContent = hint;
    this.#head.hidden = this.#places.element.hidden = hint !== "";
    this.#image.element.classList.toggle("is-empty", hint !== "");
    const layer = link.get("layer");
    this.#title.replaceChildren(`Filter ${channel} of `, h("bdi", {}, layer));
    this.#title.title = layer;
    this.#searching.show(job === "places");
    this.#making.show(job === "image");
    this.#search.hidden = job !== "" || (patches !== null && !patches.partial);
    const label = patches?.partial ? "Go on" : "Find its places";
    if (this.#search.textContent !== label) this.#search.textContent = this.#search.ariaLabel = label;
    for (const line of Object.values(this.#stopped)) line.hidden = job !== "" || line.textContent === "";
    this.#save.allow(patches !== null && patches.patches.length > 0);
  }

  #sheet(): Png | null {
    const { link } = this;
    const title = titleOf(link.model, `Filter ${link.get("channel")} of ${link.get("layer")}`);
    const grid = link.get("no_kernel") ? null : this.el.parentElement?.querySelector(".cnnw-kernel-grid canvas");
    const kernel = (grid as HTMLCanvasElement | null | undefined) ?? null;
    const ends = this.el.parentElement?.querySelectorAll(".cnnw-kernel-grid .cnnw-ends > *") ?? [];
    const canvas = panelSheet({
      title,
      kernel,
      weights: kernel ? [...ends].map((end) => end.textContent) : [],
      patches: this.#places.patches,
      image: this.#image.image,
      overlaid: link.get("activation"),
      source: link.get("source"),
      sentence: link.get("sentence"),
    });
    return { canvas, name: fileName(...title) };
  }
}

export default entry<FilterPanelState>("filter-view", FilterPanelView);
