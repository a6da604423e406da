/** The panel as a PNG: photograph, map, colour bar, caption, and the warnings with it. */
import { barLabels } from "../_maps/scale";
import { MARGIN, Sheet } from "../_maps/sheet";
import { type OverlayScale, underBar } from "./bar";

export interface OverlayPicture extends OverlayScale {
  photo: HTMLCanvasElement;
  map: HTMLCanvasElement;
  opacity: number;
  smooth: boolean;
  /** Stands above: method, layer and class, photograph, network. */
  title: string[];
  /** Below the colour bar. */
  lines: string[];
}

export function overlaySheet(picture: OverlayPicture): HTMLCanvasElement {
  const { photo, map, limit, mixed, unit } = picture;
  const sign = mixed ? "signed" : picture.sign;
  const factor = Math.min(Math.max(1, 720 / photo.width), 4096 / Math.max(photo.width, photo.height));
  const width = Math.max(1, Math.round(photo.width * factor));
  const height = Math.max(1, Math.round(photo.height * factor));
  const sheet = new Sheet(Math.max(width, 360));
  sheet.heading(picture.title);
  sheet.add(height + 16, (top) => {
    const { context } = sheet;
    context.imageSmoothingEnabled = !photo.classList.contains("is-tiny");
    context.drawImage(photo, MARGIN, top, width, height);
    context.imageSmoothingEnabled = picture.smooth;
    context.globalAlpha = picture.opacity;
    context.drawImage(map, MARGIN, top, width, height);
    context.globalAlpha = 1;
  });
  sheet.bar(limit > 0 ? (mixed ? "gray" : picture.name) : null, barLabels(limit, sign, picture.clipped));
  sheet.text(underBar({ ...picture, sign: "signed", unit }), "center");
  for (const line of picture.lines) sheet.text(line);
  return sheet.finish();
}
