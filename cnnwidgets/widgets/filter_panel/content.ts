/** What a filter panel is sent, read: pure functions. */
import { type CellMap, cellsOf, picturesOf } from "../_maps/mosaic";
import type { Extent } from "../_maps/resample";
import { number } from "../_shared/format";
import type { ProgressState } from "../_shared/progress";
import type { Data } from "../_shared/view";

export interface FilterPanelState extends ProgressState {
  layer: string;
  channel: number | null;
  hint: string;
  no_kernel: string;
  job: "" | "places" | "image";
  source: string;
  sentence: string;
  activation: boolean;
  makes: boolean;
}

export interface ExcitingPatch {
  picture: ImageData;
  /** Null where the network was not at hand. */
  map: CellMap | null;
  value: number;
  name: string;
  /** What the map covers, in shares of the picture. */
  extent: Extent;
}

export interface Patches {
  patches: ExcitingPatch[];
  notes: string[];
  partial: boolean;
}

/** So few cells say no more than the number under the patch, and their colour would hide what is in it. */
const FEW_CELLS = 4;

/** Null: a push without patches. */
export function patchesOf({ arrays, content }: Data): Patches | null {
  const { values, extents } = arrays;
  if (!values) return null;
  const pictures = picturesOf(arrays);
  const maps = cellsOf(arrays);
  const names = content["names"] as string[];
  const patches = Array.from(values.data, (value, at) => {
    const map = maps[at];
    const extent = [...(extents?.data.subarray(4 * at, 4 * at + 4) ?? [])] as unknown as Extent;
    return {
      picture: pictures[at]!,
      map: map && map.values.length > FEW_CELLS ? map : null,
      value,
      name: names[at]!,
      extent,
    };
  });
  return { patches, notes: content["notes"] as string[], partial: content["partial"] === true };
}

export interface MadeImage {
  /** Null: nothing wakes the filter. */
  picture: ImageData | null;
  peak: number | null;
  largest: number | null;
  dead: boolean;
  /** How the layer processes it: 1 as photographs that excite the filter, 0 as photographs that excite others. */
  alike: number | null;
  /** Whether that was asked. */
  compared: boolean;
  about: string;
  notes: string[];
  partial: boolean;
}

/** Null: a push without an image. */
export function madeImageOf({ arrays, content }: Data): MadeImage | null {
  if (!("dead" in content)) return null;
  return { ...(content as Omit<MadeImage, "picture">), picture: picturesOf(arrays)[0] ?? null };
}

/** How strongly the image that was made excites the filter, beside the photographs; empty: not known. */
export function strengthOf({ peak, largest, dead }: Pick<MadeImage, "peak" | "largest" | "dead">): string {
  if (dead) return "Nothing wakes this filter: it gives the same for every image that was tried.";
  if (peak === null) return "";
  if (largest === null) return `Activation ${number(peak)}; no photograph to compare it with.`;
  if (largest <= 0) return `Activation ${number(peak)}; of the photographs none gives more than ${number(largest)}.`;
  return `Activation ${number(peak)}: ${number(peak / largest)} times the largest of a photograph (${number(largest)}).`;
}

/** How alike the layer processes the image that was made and photographs; empty: nobody asked. */
export function alikenessOf({ alike, compared, dead }: Pick<MadeImage, "alike" | "compared" | "dead">): string {
  if (!compared || dead) return "";
  if (alike === null) {
    return "How alike the layer processes it and photographs cannot be told: those that excite this filter are no more alike than others.";
  }
  return `Alike to photographs: ${number(alike)} (1: the layer processes it as photographs that excite this filter, 0: as photographs that excite others).`;
}

export const WORTH =
  "It shows one way to excite the filter, not what excites it in photographs: from patches people foretell a network's answer better than from such images (92 against 82 of 100 times, Borowski et al. 2021).";
