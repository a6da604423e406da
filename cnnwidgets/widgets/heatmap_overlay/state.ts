import type { BaseState } from "../_shared/model";
import type { Mark } from "./boxes";

export type Sign = "positive" | "signed" | "negative";

export interface Note {
  level: "ok" | "warn";
  text: string;
}

export type Method = [name: string, label: string, question: string, family?: string];

/** The synced traits of HeatmapOverlay; widget.py says what each means. */
export interface State extends BaseState {
  opacity: number;
  colormap: string;
  diverging: string;
  sign: Sign;
  clip: number;
  rgb: boolean;
  smooth: boolean;
  caption: string;
  unit: string;
  notes: Note[];
  methods: Method[];
  method: string;
  layers: string[];
  layer: string;
  strip_scale: "own" | "shared";
  follow: boolean;
  explains: string;
  picking: "none" | "marks" | "region";
  marks: Mark[];
  marked: number | null;
  region: number[];
}

/** The content of a "map" push beside its arrays. */
export interface MapContent {
  /** In place of a map: why there is none. */
  message?: string;
  /** Still filling in: NaN is "not known yet". */
  partial?: boolean;
  /** The map has no sign by nature. */
  unsigned?: boolean;
  /** Input channels that were merged; 0 for none. */
  channels?: number;
  /** The layer that it is a map of. */
  layer?: string | null;
  /** The method's name for a reader. */
  by?: string;
  /** How it was made: patch, places and fill of an occlusion. */
  made?: string;
  /** Top, left, bottom and right of what it covers, in shares of the picture; none: all of it. */
  extent?: number[] | null;
}
