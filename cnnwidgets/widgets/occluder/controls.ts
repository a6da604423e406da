/** What a patch shows and how large it is; add, remove, undo. */
import { button, h, menu } from "../_shared/dom";
import type { Link } from "../_shared/link";
import type { Editor } from "./editor";
import { FILLS, type Fill, type OccluderState } from "./state";

/** A field for a whole number of pixels, 1 or more. */
export function pixelField(label: string, title: string, onchange: (pixels: number) => void): HTMLInputElement {
  const field = h("input", { type: "number", class: "oc-number cnnw-field", min: 1, "aria-label": label, title });
  field.addEventListener("change", () => onchange(Math.round(Number(field.value))));
  return field;
}

export class PatchControls {
  readonly element: HTMLElement;
  private readonly fill: HTMLSelectElement;
  private readonly color = h("input", {
    type: "color",
    class: "oc-color cnnw-field",
    "aria-label": "Colour of the patch",
    title: "Colour of the patch",
  });
  private readonly pick: HTMLButtonElement;
  private readonly size: HTMLInputElement;
  private readonly remove: HTMLButtonElement;
  private readonly undo: HTMLButtonElement;
  private readonly redo: HTMLButtonElement;
  private readonly clear: HTMLButtonElement;

  constructor(
    private readonly link: Link<OccluderState>,
    private readonly editor: Editor,
  ) {
    this.fill = menu("Fill", FILLS, "grey", (fill) => this.setFill(fill as Fill));
    this.color.addEventListener("input", () => this.setColor(this.color.value));
    const pickTitle = "Then click the place that the patch shall show";
    this.pick = button("Copy from…", () => editor.pick(), { title: pickTitle });
    const sizeTitle = "Pixels on the patch's longer side; wheel or + and −";
    this.size = pixelField("Size of the patch in pixels", sizeTitle, (side) => this.setSize(side));
    const removing = { label: "Remove", title: "Remove the selected patch (Delete)" };
    const add = button("Add patch", () => editor.add());
    this.remove = button("Remove patch", () => editor.remove(), removing);
    this.undo = button("Undo", () => editor.undo(), { title: "Undo (Ctrl+Z)" });
    this.redo = button("Redo", () => editor.redo(), { title: "Redo (Ctrl+Shift+Z)" });
    this.clear = button("Clear", () => editor.clear(), { title: "Remove all patches" });
    const fillLabel = h("label", { class: "oc-label cnnw-soft" }, "Fill ", this.fill);
    const sizeLabel = h("label", { class: "oc-label cnnw-soft" }, "Size ", this.size, " px");
    this.element = h(
      "div",
      { class: "cnnw-stack" },
      h("div", { class: "cnnw-row" }, fillLabel, this.color, this.pick, sizeLabel),
      h("div", { class: "cnnw-row" }, add, this.remove, this.undo, this.redo, this.clear),
    );
  }

  /** Shows the selected patch, or what a new one would be like. */
  update([height, width]: readonly [number, number]): void {
    const { editor, link, fill, color, size } = this;
    const fresh = editor.fresh(height / 2, width / 2);
    const settings = editor.picking ? {} : { fill: link.get("fill"), color: link.get("color") };
    const patch = editor.current ?? { ...fresh, ...settings };
    fill.value = editor.picking ? "copy" : patch.fill;
    color.hidden = fill.value !== "color";
    if (patch.color) color.value = patch.color;
    this.pick.hidden = patch.fill !== "copy" && !editor.picking;
    this.pick.setAttribute("aria-pressed", String(editor.picking));
    size.max = String(Math.min(height, width));
    // Not under the fingers of somebody who types.
    if (document.activeElement !== size) size.value = String(Math.max(patch.height, patch.width));
    this.remove.disabled = editor.selected === null;
    this.undo.disabled = editor.history.past.length === 0;
    this.redo.disabled = editor.history.future.length === 0;
    this.clear.disabled = editor.patches.length === 0;
  }

  private setFill(fill: Fill): void {
    this.editor.fill(fill, this.link.get("color"));
    if (!this.editor.picking) this.link.set("fill", fill);
  }

  private setColor(color: string): void {
    this.link.set("color", color);
    this.editor.fill("color", color);
  }

  private setSize(side: number): void {
    if (side < 1) return;
    if (this.editor.current) this.editor.resize(side);
    else this.link.set("size", Math.min(side, Number(this.size.max)));
  }
}
