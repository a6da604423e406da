/** What widgets that show explanations have in common. */
import type { BaseState } from "../_shared/model";

/** Which part of a map is shown. */
export type Sign = "positive" | "signed" | "negative";

export type Method = [name: string, label: string, question: string, family?: string];

/** The traits that say how maps are coloured; widget.py says what each means. */
export interface ColouringState extends BaseState {
  sign: Sign;
  clip: number;
  opacity: number;
  colormap: string;
  diverging: string;
}
