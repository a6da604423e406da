/** The patchOutline of a patch: light on dark, to be seen on any picture. */
import { s } from "../_shared/dom";
import type { Patch } from "./state";

export function patchOutline(
  { left, top, width, height }: Patch,
  kind: "is-selected" | "is-other" | "is-ghost",
): SVGRectElement[] {
  const box = { x: left, y: top, width, height };
  return ["dark", "light"].map((tone) => s("rect", { ...box, class: `oc-line is-${tone} ${kind}` }));
}
