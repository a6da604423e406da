/** The traits that Python and the browser share, and what a "maps" message holds beside its pixels. */
import type { BaseState } from "../_shared/model";

export interface MapCheckState extends BaseState {
  state: "empty" | "idle" | "running" | "done" | "stopped";
  hint: string;
  progress: number | null;
  progress_text: string;
  sentence: string;
  badge: string;
  level: "ok" | "info" | "warn";
  notes: string[];
}

export interface MapsContent {
  layers?: string[];
  similarity?: (number | null)[];
  signed?: boolean;
  /** How many stages there will be. */
  total?: number;
  details?: string[][];
}
