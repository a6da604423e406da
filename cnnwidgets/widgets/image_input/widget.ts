/** Where an image comes from, and what is done to it. */
import { type Photo, photoOf } from "../_maps/photo";
import { button, h, menu, tell } from "../_shared/dom";
import { SaveButton } from "../_shared/png";
import { Segmented } from "../_shared/segmented";
import { Slider } from "../_shared/slider";
import { LIMIT, shrunk, tooLarge } from "../_shared/upload";
import { entry, type Link, RootView } from "../_shared/view";
import { Camera } from "./camera";
import { imageSheet } from "./save";
import { ImageStage, type Tool } from "./stage";
import { type Edit, type ImageInputState, lastAmount, tuned, turnedOn } from "./state";
import "./widget.css";

const TOOLS = [
  { value: "look", label: "Look", title: "Look at the image: a press on it does nothing" },
  { value: "crop", label: "Crop", title: "Keep a part of the image: drag a frame over it, then press Crop to frame" },
  { value: "draw", label: "Draw", title: "Draw on the image with mouse, pen or finger" },
] as const;

class ImageInputView extends RootView<ImageInputState> {
  readonly #samples = menu(
    "Sample",
    [],
    "",
    (name) => name && this.link.command("sample", { name }),
    "Begin with one of these images",
  );
  readonly #file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Image file" });
  readonly #caption = h("p", { class: "cnnw-soft cnnw-cut" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #problem = h("p", { class: "cnnw-warning cnnw-wrap", role: "alert", hidden: true });
  readonly #tools = new Segmented("Tool", (value) => this.#choose(value as Tool));
  readonly #crop = button("Crop to frame", () => this.#cropNow(), { title: "Keep what is in the frame (Enter)" });
  readonly #color = h("input", { type: "color", class: "ii-color cnnw-field", "aria-label": "Colour of the line" });
  readonly #width = h("input", { type: "number", class: "ii-number cnnw-field", min: 1, max: 50, step: 1 });
  readonly #pen = h("span", { class: "cnnw-line" });
  readonly #seed = h("input", { type: "number", class: "ii-number cnnw-field", min: 0, step: 1 });
  readonly #undo = button("Undo", () => this.#edit(this.#edits.slice(0, -1)), { title: "Take the last edit back" });
  readonly #reset = button("Reset", () => this.#edit([]), { title: "Take all edits back: the image as it came" });
  #photo: Photo | null = null;
  #applied: Edit[] = [];
  readonly #save = new SaveButton(
    () => this.#photo && imageSheet(this.link, this.#photo, this.#applied),
    "Save the image as it is now, after all edits, as a PNG",
  );
  readonly #stage = new ImageStage(
    () => ({ color: this.#color.value, width: this.#width.valueAsNumber / 100 }),
    (box) => {
      this.#crop.disabled = box === null;
    },
    () => this.#cropNow(),
    (points) => {
      const width = this.#width.valueAsNumber / 100;
      this.#edit([...this.#edits, { op: "draw", points, width, color: this.#color.value }]);
    },
  );
  readonly #camera = new Camera(
    (picture) => this.#upload(picture, "camera"),
    (sentence) => this.#say(sentence),
    (on) => {
      this.#stage.element.hidden = on;
    },
  );
  readonly #sliders = {
    rotate: new Slider("Angle", -180, (degrees) => this.#tune({ op: "rotate", degrees })),
    brightness: new Slider("Brightness", -100, (share) => this.#tune({ op: "brightness", amount: share / 100 })),
    noise: new Slider("Noise", 0, (share) => this.#tune({ op: "noise", amount: share / 100, seed: this.#seedNow })),
  };

  constructor(link: Link<ImageInputState>, el: HTMLElement) {
    super(link, el);
    this.#color.value = "#ffffff";
    this.#color.title = "The colour of the lines that you draw";
    this.#width.value = "6";
    this.#seed.value = "0";
    const left = h("div", { class: "cnnw-stack" }, this.#stage.element, this.#camera.element, this.#caption);
    const body = h("div", { class: "ii-body" }, left, this.#editTools());
    el.append(h("div", { class: "ii-root cnnw-stack" }, this.#sources(), this.#problem, body, this.#notes));
    this.#choose("look");
    this.#listen();
  }

  get #edits(): Edit[] {
    return this.link.get("edits");
  }

  get #seedNow(): number {
    const seed = this.#seed.valueAsNumber;
    return Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32 ? seed : 0;
  }

  #sources(): HTMLElement {
    const upload = button("Upload", () => this.#file.click(), {
      title: "Use an image file of yours; it can be dropped here, too",
    });
    const paste = button("Paste", () => this.#paste(), {
      title: "Use the image in the clipboard; Ctrl V does it, too",
    });
    const about = "Take a picture: the browser asks first, and it goes to the kernel alone";
    const camera = button("Camera", () => this.#camera.start(), { title: about });
    this.#file.addEventListener("change", () => {
      const file = this.#file.files?.[0];
      if (file) this.#upload(file, file.name);
      this.#file.value = "";
    });
    return h("div", { class: "cnnw-row" }, this.#samples, upload, paste, camera, this.#file);
  }

  #editTools(): HTMLElement {
    const turn = (name: string, degrees: number, title: string) =>
      button(name, () => this.#edit(turnedOn(this.#edits, degrees)), { title });
    const left = turn("Turn left", 90, "Turn the image by 90° against the clock");
    const right = turn("Turn right", -90, "Turn the image by 90° with the clock");
    const widthTitle = "Width of the lines that you draw, in percent of the longer side";
    this.#pen.append(
      this.#color,
      h("label", { class: "cnnw-line cnnw-soft", title: widthTitle }, "Width", this.#width),
    );
    const seedTitle = "Seed of the noise: the same seed makes the same noise";
    const seed = h("label", { class: "cnnw-line cnnw-soft", title: seedTitle }, "Seed", this.#seed);
    const titles = {
      rotate: "Turn the image by any angle, against the clock; corners that come free are black",
      brightness: "Add to all levels, in percent of the whole range",
      noise: "Add random numbers to all levels: their standard deviation, in percent of the whole range",
    };
    for (const [op, title] of Object.entries(titles)) this.#sliders[op as "noise"].element.title = title;
    this.#seed.addEventListener("change", () => {
      const last = this.#edits.at(-1);
      if (last?.op === "noise") this.#tune({ ...last, seed: this.#seedNow });
    });
    const choose = h("div", { class: "cnnw-row" }, this.#tools.element, this.#crop, this.#pen);
    const sliders = Object.values(this.#sliders).map(({ element }) => element);
    const undo = h("div", { class: "cnnw-row" }, this.#undo, this.#reset, this.#save.element);
    return h(
      "div",
      { class: "cnnw-stack" },
      choose,
      h("div", { class: "cnnw-row" }, left, right),
      ...sliders,
      seed,
      undo,
    );
  }

  #listen(): void {
    const { link, el } = this;
    link.receive("picture", (data) => {
      const photo = photoOf(data);
      if (photo) this.#stage.show(photo);
      this.#photo = photo;
      this.#applied = (data.content["edits"] ?? []) as Edit[];
      this.#save.allow(photo !== null);
      el.dataset["painted"] = String(data.id);
    });
    link.watch(["samples", "sample"], () => {
      const names = link.get("samples");
      const own = link.get("sample") ? [] : [h("option", { value: "" }, "sample …")];
      this.#samples.replaceChildren(...own, ...names.map((name) => h("option", { value: name }, name)));
      this.#samples.value = link.get("sample");
      this.#samples.hidden = names.length === 0;
    });
    link.watch(["name", "sides"], () => {
      const [height, width] = link.get("sides");
      this.#caption.textContent = this.#caption.title = `${link.get("name")}, ${height} × ${width} pixels`;
    });
    link.watch(["notes"], () => {
      this.#notes.replaceChildren(...link.get("notes").map((note) => h("p", { class: "cnnw-warning" }, note)));
    });
    link.watch(["edits"], () => this.#showEdits());
    el.addEventListener("paste", this.#onPaste);
    el.addEventListener("dragover", onDragOver);
    el.addEventListener("drop", this.#onDrop);
    link.onClose(() => {
      el.removeEventListener("paste", this.#onPaste);
      el.removeEventListener("dragover", onDragOver);
      el.removeEventListener("drop", this.#onDrop);
      this.#camera.stop();
    });
  }

  #showEdits(): void {
    const edits = this.#edits;
    this.#undo.disabled = this.#reset.disabled = edits.length === 0;
    const [degrees, bright, noise] = (["rotate", "brightness", "noise"] as const).map((op) => lastAmount(edits, op));
    this.#sliders.rotate.update(degrees!, 180, `${Math.round(degrees!)}°`);
    this.#sliders.brightness.update(Math.round(bright! * 100), 100, `${Math.round(bright! * 100)} %`);
    this.#sliders.noise.update(Math.round(noise! * 100), 100, `${Math.round(noise! * 100)} %`);
  }

  #edit(edits: Edit[]): void {
    this.#say("");
    this.link.set("edits", edits);
  }

  #tune(edit: Edit): void {
    this.#edit(tuned(this.#edits, edit));
  }

  #cropNow(): void {
    const { box } = this.#stage;
    if (!box) return;
    this.#edit([...this.#edits, { op: "crop", box }]);
    this.#choose("look");
  }

  #choose(tool: Tool): void {
    this.#tools.update(TOOLS, tool);
    this.#crop.hidden = tool !== "crop";
    this.#pen.hidden = tool !== "draw";
    this.#stage.choose(tool);
  }

  #say(sentence: string): void {
    tell(this.#problem, sentence);
  }

  readonly #onPaste = (event: ClipboardEvent) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    this.#upload(file, "pasted image");
  };

  readonly #onDrop = (event: DragEvent) => {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    this.#upload(file, file.name);
  };

  async #paste(): Promise<void> {
    try {
      const items = await navigator.clipboard.read();
      const isImage = (type: string) => type.startsWith("image/");
      const item = items.find(({ types }) => types.some(isImage));
      if (item) this.#upload(await item.getType(item.types.find(isImage)!), "pasted image");
      else this.#say("There is no image in the clipboard. Copy one first.");
    } catch {
      this.#say(
        "The browser does not let this page read the clipboard: click here and press Ctrl V, or upload a file.",
      );
    }
  }

  async #upload(content: Blob, name: string): Promise<void> {
    this.#say("");
    const small = content.size > LIMIT ? await shrunk(new File([content], name)) : { name, content };
    const refusal = tooLarge(small.content.size);
    if (refusal) this.#say(refusal);
    else this.link.command("upload", { name: small.name }, [await small.content.arrayBuffer()]);
  }
}

/** JupyterLab takes files that are dropped for its file browser. */
function onDragOver(event: DragEvent): void {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.stopPropagation();
}

export default entry<ImageInputState>("image-input", ImageInputView);
