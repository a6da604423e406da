import type { ColouringState, Method } from "../_maps/scale";
import type { Mark } from "./boxes";

export interface Note {
  level: "ok" | "warn";
  text: string;
}

/** The synced traits of HeatmapOverlay; widget.py says what each means. */
export interface OverlayState extends ColouringState {
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
