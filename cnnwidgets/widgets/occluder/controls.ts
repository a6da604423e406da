/** What a patch shows and how large it is; add, remove, undo. */
import { button, h, menu } from "../_shared/dom";
import { FILLS, type Fill, type Patch } from "./state";

export interface Actions {
  fill(fill: Fill): void;
  color(color: string): void;
  size(side: number): void;
  pick(): void;
  add(): void;
  remove(): void;
  undo(): void;
  redo(): void;
  clear(): void;
}

export interface Now {
  /** The selected patch, or what a new one would be like. */
  patch: Patch;
  count: number;
  canRemove: boolean;
  canUndo: boolean;
  canRedo: boolean;
  picking: boolean;
  most: number;
}

export function controls(actions: Actions) {
  const fill = menu("Fill", FILLS, "grey", (value) => actions.fill(value as Fill));
  const color = h("input", {
    type: "color",
    class: "oc-color",
    "aria-label": "Colour of the patch",
    title: "Colour of the patch",
  });
  color.addEventListener("input", () => actions.color(color.value));
  const pick = button("Copy from…", actions.pick, { title: "Then click the place that the patch shall show" });
  const size = h("input", {
    type: "number",
    class: "oc-number",
    min: 1,
    "aria-label": "Size of the patch in pixels",
    title: "Pixels on the patch's longer side; wheel or + and −",
  });
  size.addEventListener("change", () => {
    const side = Math.round(Number(size.value));
    if (side >= 1) actions.size(side);
  });
  const add = button("Add patch", actions.add);
  const remove = button("Remove patch", actions.remove, {
    label: "Remove",
    title: "Remove the selected patch (Delete)",
  });
  const undo = button("Undo", actions.undo, { title: "Undo (Ctrl+Z)" });
  const redo = button("Redo", actions.redo, { title: "Redo (Ctrl+Shift+Z)" });
  const clear = button("Clear", actions.clear, { title: "Remove all patches" });
  const element = h(
    "div",
    { class: "oc-controls" },
    h(
      "div",
      { class: "oc-row" },
      h("label", { class: "oc-label" }, "Fill ", fill),
      color,
      pick,
      h("label", { class: "oc-label" }, "Size ", size, " px"),
    ),
    h("div", { class: "oc-row" }, add, remove, undo, redo, clear),
  );
  return {
    element,
    update(now: Now): void {
      fill.value = now.picking ? "copy" : now.patch.fill;
      color.hidden = fill.value !== "color";
      if (now.patch.color) color.value = now.patch.color;
      pick.hidden = now.patch.fill !== "copy" && !now.picking;
      pick.setAttribute("aria-pressed", String(now.picking));
      size.max = String(now.most);
      // Not under the fingers of somebody who types.
      if (document.activeElement !== size) size.value = String(Math.max(now.patch.height, now.patch.width));
      remove.disabled = !now.canRemove;
      undo.disabled = !now.canUndo;
      redo.disabled = !now.canRedo;
      clear.disabled = now.count === 0;
    },
  };
}
