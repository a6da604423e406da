/** What is written at each map of the strip. Pure functions. */
import type { MapsContent } from "./state";

/** Two digits after the point and a true minus sign; "–" where there is no number. */
export function similarity(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(2);
  return value < 0 && text !== "0.00" ? `−${text}` : text;
}

export interface CheckStage {
  /** 0 for the original. */
  number: number;
  layer: string;
  similarity: string;
  title: string;
}

/** The original and the stages after it. */
export function stagesOf({ layers = [], similarity: values = [] }: MapsContent): CheckStage[] {
  const original = { number: 0, layer: "original", similarity: "", title: "The map of the network as it is" };
  const rest = layers.map((layer, index) => {
    const value = similarity(values[index]);
    const comparison = value === "–" ? "cannot be compared with the original" : `similarity ${value} to the original`;
    return {
      number: index + 1,
      layer,
      similarity: value,
      title: `Stage ${index + 1}: random weights from the output down to ${layer}; ${comparison}`,
    };
  });
  return [original, ...rest];
}

/** What is said of a strip that was stopped before its end; empty when it has all its stages. */
export function missing({ layers = [], total = layers.length }: MapsContent): string {
  return layers.length < total ? `Partial: stopped at ${layers.length} of ${total} stages.` : "";
}
