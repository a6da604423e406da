/** One cell: the photograph with a map over it, its range, what to know of it; or why there is none. */
import type { Data } from "../_shared/channel";
import { type ColormapName, gradient } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { WHOLE } from "../_shared/extent";
import { number } from "../_shared/format";
import { colourise } from "../heatmap_overlay/colourise";
import { type Heat, heatOf, viewOf } from "../heatmap_overlay/heat";
import { laid } from "../heatmap_overlay/laid";
import { paintSize, type Size } from "../heatmap_overlay/resample";
import { barLabels } from "../heatmap_overlay/scale";
import type { Sign } from "../heatmap_overlay/state";
import type { Shared, Shown } from "./scales";
import type { CellContent } from "./state";

export interface Cell {
  heat: Heat | null;
  reason: string;
  notes: string[];
  unit: string;
}

/** What a "cell" push holds, if it belongs to the grid with this id. */
export function cellOf(data: Data, grid: number): Cell | null {
  const content = data.content as unknown as CellContent;
  if (content.grid !== grid) return null;
  return { heat: heatOf(data), reason: content.reason ?? "", notes: content.notes ?? [], unit: content.unit ?? "" };
}

/** Only input gradients are clipped. */
export function shownOf(cell: Cell | null, sign: Sign, clip: number): Shown | null {
  if (!cell?.heat) return null;
  return { view: viewOf(cell.heat, sign), clip: cell.heat.channels > 0 ? clip : 0, unit: cell.unit };
}

/** Its own numbers, whatever the scale: "−0.12 to 0.389". */
export function rangeOf({ view: { stats } }: Shown): string {
  if (Number.isNaN(stats.min)) return "no finite value";
  return stats.min === stats.max ? `${number(stats.min)} everywhere` : `${number(stats.min)} to ${number(stats.max)}`;
}

export interface Look {
  sign: Sign;
  name: ColormapName;
  opacity: number;
  photo: HTMLCanvasElement | null;
  size: Size;
  busy: boolean;
  /** Whether the cell has a colour bar of its own. */
  bar: boolean;
}

function same(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((part, i) => part === other[i]);
}

export function cellView(label: string, place: string) {
  const canvas = h("canvas", { role: "img" });
  const none = h("div", { class: "cnnw-cmp-none" });
  const bar = h("div", { class: "cnnw-cmp-own", "aria-hidden": "true" });
  const range = h("span", {});
  const mark = h("span", { class: "cnnw-cmp-mark", role: "img", hidden: true }, "⚠");
  const under = h("figcaption", {}, range, mark);
  const element = h("figure", { class: "cnnw-cmp-cell", "data-cell": place }, canvas, none, bar, under);
  const map = h("canvas", {});
  let coloured: unknown[] = [];
  let composed: unknown[] = [];

  function compose(cell: Cell, shown: Shown, scale: Shared, look: Look): void {
    const { heat } = cell;
    const { photo, size, sign, name, opacity } = look;
    const wanted = [heat, shown.view, scale.limit, name, size];
    if (heat && !same(wanted, coloured)) {
      coloured = wanted;
      const target = paintSize(photo ? size : heat.size, heat.size, 160, 320);
      [map.height, map.width] = target;
      const image = new ImageData(map.width, map.height);
      const values = laid(shown.view.part, heat.size, target, true, heat.extent ?? WHOLE);
      colourise(
        values,
        map.width,
        { limit: scale.limit, sign, name, partial: false },
        new Uint32Array(image.data.buffer),
      );
      map.getContext("2d")?.putImageData(image, 0, 0);
      composed = [];
    }
    if (same([photo, opacity], composed)) return;
    composed = [photo, opacity];
    [canvas.height, canvas.width] = [map.height, map.width];
    const context = canvas.getContext("2d");
    if (!context) return;
    if (photo) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = photo ? opacity : 1;
    context.drawImage(map, 0, 0);
  }

  return {
    element,
    canvas,
    update(cell: Cell | null, shown: Shown | null, scale: Shared | null, look: Look) {
      const there = cell !== null && shown !== null && scale !== null;
      canvas.hidden = under.hidden = !there;
      none.hidden = there;
      bar.hidden = !there || !look.bar;
      element.classList.toggle("is-failed", cell?.reason !== undefined && cell.reason !== "");
      element.classList.toggle("is-waiting", !cell && look.busy);
      element.style.setProperty("--ratio", String(look.size[1] / look.size[0]));
      none.textContent = none.title = cell ? cell.reason : look.busy ? "" : "not computed";
      // A long reason scrolls, also by keyboard.
      if (cell?.reason) none.tabIndex = 0;
      else none.removeAttribute("tabindex");
      if (!there) return;
      compose(cell, shown, scale, look);
      range.textContent = rangeOf(shown);
      const labels = barLabels(scale.limit, look.sign, scale.clipped);
      range.title = `All of its numbers: ${rangeOf(shown)}. Colours: ${labels[0]} to ${labels[2]}`;
      bar.style.background = scale.limit > 0 ? gradient(look.name) : "none";
      if (look.bar && scale.limit > 0) range.textContent = `${labels[0]} to ${labels[2]}`;
      canvas.setAttribute("aria-label", `${label}: ${rangeOf(shown)}`);
      mark.hidden = cell.notes.length === 0;
      mark.title = cell.notes.join("\n");
      mark.setAttribute("aria-label", `Warning: ${cell.notes.join(" ")}`);
    },
  };
}
