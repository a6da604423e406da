/** The large map as a PNG: what it is, the map over the photograph, its colour bar and range, and what to know of it. */

import { number } from "../_shared/format";
import { fileName as named } from "../_shared/title";
import { colourStops, wrapped } from "../heatmap_overlay/save";
import { span } from "./maps";
import type { View } from "./view";

const MARGIN = 24;
const LINE = 26;
const FONT = `18px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif`;

export interface Sheet {
  map: HTMLCanvasElement;
  view: View;
  channel: number;
  title: string[];
  /** Whether the network runs without this map. */
  off: boolean;
}

/** "Map 17 of layer4" */
export function subject(layer: string, channel: number): string {
  return layer ? `Map ${channel} of ${layer}` : `Map ${channel}`;
}

function words({ view, channel, off }: Sheet): string[] {
  const { maps } = view;
  const of = (values: ArrayLike<number>) => number(values[channel] ?? Number.NaN);
  const scale = view.scale === "map" ? "of this map" : "of the layer";
  const said = [
    `Scale ${scale}; the map: ${of(maps.minimum)} to ${of(maps.maximum)}, mean ${of(maps.mean)}, ${maps.height} × ${maps.width}`,
    ...maps.notes.map((note) => `⚠ ${note}`),
  ];
  return off ? [...said, "⚠ This map is switched off: the scores are those of the network without it."] : said;
}

export function draw(sheet: Sheet): HTMLCanvasElement {
  const { map, view, channel } = sheet;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d")!;
  const width = Math.max(map.width, 360);
  const fit = (texts: string[]) =>
    texts.flatMap((text) => wrapped(text, width, (part) => context.measureText(part).width));
  context.font = `600 ${FONT}`;
  const heading = fit([sheet.title.join(" · ")]);
  context.font = FONT;
  const lines = fit(words(sheet));
  const top = MARGIN + heading.length * LINE;
  const barTop = top + map.height + 16;
  canvas.width = width + 2 * MARGIN;
  canvas.height = barTop + 16 + LINE * (1 + lines.length) + MARGIN;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(map, MARGIN, top);
  const ramp = context.createLinearGradient(MARGIN, 0, MARGIN + width, 0);
  colourStops(ramp, view.colormap);
  context.fillStyle = ramp;
  context.fillRect(MARGIN, barTop, width, 16);
  context.fillStyle = "#1f2328";
  context.font = FONT;
  const [low, high] = span(view.maps, channel, view.scale, view.colormap);
  let y = barTop + 16 + LINE * 0.8;
  context.fillText(number(low), MARGIN, y);
  context.textAlign = "right";
  context.fillText(number(high), MARGIN + width, y);
  context.textAlign = "left";
  for (const text of lines) context.fillText(text, MARGIN, (y += LINE));
  context.font = `600 ${FONT}`;
  heading.forEach((text, i) => context.fillText(text, MARGIN, MARGIN + LINE * (i + 0.6)));
  return canvas;
}

/** `layer-channel.png`, then photograph and network, with what a file system may refuse replaced. */
export function fileName(layer: string, channel: number, about: readonly string[] = []): string {
  const safe = layer
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^\.+/, "")
    .slice(0, about.length ? 60 : 100);
  const rest = about.length ? `-${named(...about).slice(0, -".png".length)}` : "";
  return `${safe || "maps"}-${channel}${rest}.png`;
}
