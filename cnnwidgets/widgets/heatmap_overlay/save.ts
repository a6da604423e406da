/** The panel as a PNG: photograph, map, colour bar, caption, and the warnings with it. */
import { barLabels } from "../_maps/scale";
import { MARGIN, Sheet } from "../_maps/sheet";
import { type OverlayScale, underBar } from "./bar";
import type { OverlayStage } from "./stage";

/** `title` stands above: method, layer and class, photograph, network; `lines` below the colour bar. */
export function overlaySheet(
  { photo, map }: OverlayStage,
  scale: OverlayScale,
  opacity: number,
  smooth: boolean,
  title: readonly string[],
  lines: readonly string[],
): HTMLCanvasElement {
  const { limit, mixed, clipped } = scale;
  const factor = Math.min(Math.max(1, 720 / photo.width), 4096 / Math.max(photo.width, photo.height));
  const width = Math.max(1, Math.round(photo.width * factor));
  const height = Math.max(1, Math.round(photo.height * factor));
  const sheet = new Sheet(Math.max(width, 360));
  sheet.heading(title);
  sheet.add(height + 16, (top) => {
    const { context } = sheet;
    context.imageSmoothingEnabled = !photo.classList.contains("is-tiny");
    context.drawImage(photo, MARGIN, top, width, height);
    context.imageSmoothingEnabled = smooth;
    context.globalAlpha = opacity;
    context.drawImage(map, MARGIN, top, width, height);
    context.globalAlpha = 1;
  });
  sheet.bar(limit > 0 ? (mixed ? "gray" : scale.name) : null, barLabels(limit, mixed ? "signed" : scale.sign, clipped));
  sheet.text(underBar({ ...scale, sign: "signed" }), "center");
  for (const line of lines) sheet.text(line);
  return sheet.finish();
}
