/** The image that was made to maximise a filter, with what it is worth. */
import { pictureCanvas } from "../_maps/mosaic";
import { MARGIN, Sheet } from "../_maps/sheet";
import { button, h, putImage } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { type Link, View } from "../_shared/view";
import { alikenessOf, type FilterPanelState, type MadeImage, madeImageOf, strengthOf, WORTH } from "./content";

export class Made extends View<FilterPanelState> {
  readonly #start = button("Make the image that maximises it", () => this.link.command("start", { job: "image" }));
  readonly #picture = h("div", { class: "fp-picture" });
  readonly #strength = h("p", { class: "cnnw-figures", role: "status" });
  readonly #alike = h("p", { class: "cnnw-small cnnw-figures cnnw-wrap" });
  readonly #about = h("p", { class: "cnnw-small cnnw-soft cnnw-wrap" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #worth = h("p", { class: "cnnw-small cnnw-soft" }, WORTH);
  readonly #save = new SaveButton(() => this.#sheet(), "Save this image as a PNG");
  readonly element: HTMLElement;
  image: MadeImage | null = null;

  constructor(link: Link<FilterPanelState>, work: HTMLElement) {
    super(link);
    const parts = [
      this.#picture,
      this.#start,
      work,
      this.#strength,
      this.#alike,
      this.#about,
      this.#notes,
      this.#worth,
    ];
    this.element = h("section", { class: "fp-made cnnw-stack" }, ...parts, this.#save.element);
    link.receive("image", (data) => {
      this.image = madeImageOf(data);
      this.#paint();
    });
    this.#paint();
    link.watch(["job", "makes", "layer", "channel"], () => this.#paintStart());
  }

  #paint(): void {
    const { image } = this;
    const picture = image?.picture;
    this.#picture.hidden = !picture;
    this.#picture.classList.toggle("is-partial", image?.partial === true);
    this.#picture.replaceChildren(
      ...(picture ? [pictureCanvas(picture, "The image made to maximise the filter")] : []),
    );
    this.#strength.textContent = image ? strengthOf(image) : "";
    this.#alike.textContent = image ? alikenessOf(image) : "";
    this.#about.textContent = image?.about ?? "";
    this.#notes.replaceChildren(
      ...(image?.notes ?? []).map((note) => h("p", { class: "cnnw-warning cnnw-small" }, note)),
    );
    this.#worth.hidden = !picture;
    this.#save.element.hidden = !picture || image?.partial === true;
    this.#paintStart();
  }

  #paintStart(): void {
    const { link } = this;
    this.element.hidden = !link.get("makes") && !this.image;
    this.#start.hidden = !link.get("makes") || link.get("job") === "image" || this.image?.partial === false;
    const label = this.image?.partial ? "Make it again" : "Make the image that maximises it";
    if (this.#start.textContent !== label) this.#start.textContent = this.#start.ariaLabel = this.#start.title = label;
  }

  #sheet(): Png | null {
    const { image } = this;
    if (!image?.picture) return null;
    const title = titleOf(this.link.model, `Filter ${this.link.get("channel")} of ${this.link.get("layer")}`, "made");
    const canvas = document.createElement("canvas");
    putImage(canvas, image.picture);
    const scale = Math.max(1, Math.floor(448 / canvas.width));
    const [width, height] = [canvas.width * scale, canvas.height * scale];
    const sheet = new Sheet(Math.max(width, 360));
    sheet.heading(title);
    sheet.add(height + 8, (top) => {
      sheet.context.imageSmoothingEnabled = false;
      sheet.context.drawImage(canvas, MARGIN, top, width, height);
    });
    for (const line of [
      strengthOf(image),
      alikenessOf(image),
      image.about,
      ...image.notes.map((note) => `⚠ ${note}`),
      WORTH,
    ]) {
      if (line) sheet.text(line);
    }
    return { canvas: sheet.finish(), name: fileName(...title) };
  }
}
