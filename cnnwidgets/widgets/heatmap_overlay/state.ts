import type { Method, Sign } from "../_maps/state";
import type { BaseState } from "../_shared/model";
import type { Mark } from "./boxes";

export interface Note {
  level: "ok" | "warn";
  text: string;
}

export interface Setting {
  name: string;
  label: string;
  help: string;
  value: number;
  whole: boolean;
}

/** The synced traits of HeatmapOverlay; widget.py says what each means. */
export interface OverlayState extends BaseState {
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
  settings: Setting[];
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
