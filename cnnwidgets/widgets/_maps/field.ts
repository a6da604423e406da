/** The receptive field of a cell, drawn on a photograph. */
import { h } from "../_shared/dom";
import type { BaseState, Link } from "../_shared/view";
import type { Extent } from "./resample";
import "./field.css";

/** Sent through the page when a cell of a map is pointed at; its detail is what the cell sees of the photograph. */
export const FIELD_EVENT = "cnnw-field";

/** Puts `box`, an element over a photograph, where the field is. */
export function placeField({ style }: HTMLElement, [top, left, bottom, right]: Extent): void {
  style.inset = [top, 1 - right, 1 - bottom, left].map((share) => `${100 * share}%`).join(" ");
}

/** A box that shows, on a photograph of the same Explorer as `el`, what the cell sees that is pointed at elsewhere. */
export function followedField<State extends BaseState>(link: Link<State>, el: HTMLElement): HTMLElement {
  const box = h("div", { class: "cnnw-field-box cnnw-over", hidden: true });
  const follow = ({ detail }: CustomEvent<Extent | null>) => {
    box.hidden = detail === null;
    if (detail) placeField(box, detail);
  };
  link.whenInside(el, ".cnnw-explorer", (root) => {
    root.addEventListener(FIELD_EVENT, follow as EventListener);
    link.onClose(() => root.removeEventListener(FIELD_EVENT, follow as EventListener));
  });
  return box;
}
