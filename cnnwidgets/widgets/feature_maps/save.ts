/** The large map as a PNG: what it is, the map over the photograph, its colour bar and range, and what to know of it. */
import { MARGIN, Sheet } from "../_maps/sheet";
import { number } from "../_shared/format";
import { fileName } from "../_shared/title";
import { span } from "./maps";
import type { MapsView } from "./view";

export interface MapPicture {
  map: HTMLCanvasElement;
  view: MapsView;
  channel: number;
  title: string[];
  /** Whether the network runs without this map. */
  off: boolean;
}

/** "Map 17 of layer4" */
export function subject(layer: string, channel: number): string {
  return layer ? `Map ${channel} of ${layer}` : `Map ${channel}`;
}

export function mapSheet({ map, view, channel, title, off }: MapPicture): HTMLCanvasElement {
  const { maps } = view;
  const of = (values: ArrayLike<number>) => number(values[channel] ?? Number.NaN);
  const scale = view.scale === "map" ? "of this map" : "of the layer";
  const range = `${of(maps.minimum)} to ${of(maps.maximum)}, mean ${of(maps.mean)}, ${maps.height} × ${maps.width}`;
  const [low, high] = span(maps, channel, view.scale, view.colormap);
  const sheet = new Sheet(Math.max(map.width, 360));
  sheet.heading(title);
  sheet.add(map.height + 16, (top) => sheet.context.drawImage(map, MARGIN, top));
  sheet.bar(view.colormap, [number(low), "", number(high)]);
  sheet.text(`Scale ${scale}; the map: ${range}`);
  for (const note of maps.notes) sheet.text(`⚠ ${note}`);
  if (off) sheet.text("⚠ This map is switched off: the scores are those of the network without it.");
  return sheet.finish();
}

/** `layer-channel.png`, then photograph and network, with what a file system may refuse replaced. */
export function mapFileName(layer: string, channel: number, about: readonly string[] = []): string {
  const safe = layer
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^\.+/u, "")
    .slice(0, about.length > 0 ? 60 : 100);
  const rest = about.length > 0 ? `-${fileName(...about).slice(0, -".png".length)}` : "";
  return `${safe || "maps"}-${channel}${rest}.png`;
}
