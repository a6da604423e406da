import type { Heat } from "../../../cnnwidgets/widgets/_maps/heat";
import type { Size } from "../../../cnnwidgets/widgets/_maps/resample";

/** A map with a sign and no layer, but for what is `more` of it. */
export function heat(values: number[], size: Size, more: Partial<Heat> = {}): Heat {
  return {
    id: 1,
    size,
    values: Float32Array.from(values),
    magnitude: null,
    partial: false,
    unsigned: false,
    channels: 0,
    layer: null,
    ...more,
  };
}
