/** What a patch shows and how large it is; add, remove, undo. */
import { button, h, menu } from "../_shared/dom";
import type { Link } from "../_shared/view";
import type { Editor } from "./editor";
import { FILLS, type Fill, type OccluderState } from "./state";

const COLOUR = "Colour of the patch";
const FILL = "What the network sees instead of the part that is covered";
const PICK = "Then click the place that the patch shall show";
const SIZE = "Pixels on the patch's longer side; wheel or + and −";
const REMOVE = { label: "Remove", title: "Remove the selected patch (Delete)" };

/** A field for a whole number of pixels, 1 or more. */
export function pixelField(label: string, title: string, onchange: (pixels: number) => void): HTMLInputElement {
  const field = h("input", { type: "number", class: "oc-number cnnw-field", min: 1, "aria-label": label, title });
  field.addEventListener("change", () => onchange(Math.round(Number(field.value))));
  return field;
}

export class PatchControls {
  readonly element = h("div", { class: "cnnw-stack" });
  readonly #fill = menu("Fill", FILLS, "grey", (fill) => this.#setFill(fill as Fill), FILL);
  readonly #color = h("input", { type: "color", class: "oc-color cnnw-field", "aria-label": COLOUR, title: COLOUR });
  readonly #pick = button("Copy from…", () => this.editor.pick(), { title: PICK });
  readonly #size = pixelField("Size of the patch in pixels", SIZE, (side) => this.#setSize(side));
  readonly #remove = button("Remove patch", () => this.editor.remove(), REMOVE);
  readonly #undo = button("Undo", () => this.editor.undo(), { title: "Undo (Ctrl+Z)" });
  readonly #redo = button("Redo", () => this.editor.redo(), { title: "Redo (Ctrl+Shift+Z)" });
  readonly #clear = button("Clear", () => this.editor.clear(), { title: "Remove all patches" });

  constructor(
    private readonly link: Link<OccluderState>,
    private readonly editor: Editor,
  ) {
    this.#color.addEventListener("input", () => this.#setColor(this.#color.value));
    const add = button("Add patch", () => editor.add(), { title: "Cover one more part of the picture" });
    const fillLabel = h("label", { class: "cnnw-line cnnw-soft" }, "Fill ", this.#fill);
    const sizeLabel = h("label", { class: "cnnw-line cnnw-soft" }, "Size ", this.#size, " px");
    this.element.append(
      h("div", { class: "cnnw-row" }, fillLabel, this.#color, this.#pick, sizeLabel),
      h("div", { class: "cnnw-row" }, add, this.#remove, this.#undo, this.#redo, this.#clear),
    );
  }

  /** Shows the selected patch, or what a new one would be like. */
  update([height, width]: readonly [number, number]): void {
    const { editor, link } = this;
    const [fill, color, size] = [this.#fill, this.#color, this.#size];
    const fresh = editor.fresh(height / 2, width / 2);
    const settings = editor.picking ? {} : { fill: link.get("fill"), color: link.get("color") };
    const patch = editor.current ?? { ...fresh, ...settings };
    fill.value = editor.picking ? "copy" : patch.fill;
    color.hidden = fill.value !== "color";
    if (patch.color) color.value = patch.color;
    this.#pick.hidden = patch.fill !== "copy" && !editor.picking;
    this.#pick.setAttribute("aria-pressed", String(editor.picking));
    size.max = String(Math.min(height, width));
    // Not under the fingers of somebody who types.
    if (document.activeElement !== size) size.value = String(Math.max(patch.height, patch.width));
    this.#remove.disabled = editor.selected === null;
    this.#undo.disabled = editor.history.past.length === 0;
    this.#redo.disabled = editor.history.future.length === 0;
    this.#clear.disabled = editor.patches.length === 0;
  }

  #setFill(fill: Fill): void {
    this.editor.fill(fill, this.link.get("color"));
    if (!this.editor.picking) this.link.set("fill", fill);
  }

  #setColor(color: string): void {
    this.link.set("color", color);
    this.editor.fill("color", color);
  }

  #setSize(side: number): void {
    if (side < 1) return;
    if (this.editor.current) this.editor.resize(side);
    else this.link.set("size", Math.min(side, Number(this.#size.max)));
  }
}
