/** What the stepper shares with Python, and what it shows now. */
import type { BaseState, Link } from "../_shared/view";
import { type Operation, outputSides, type Setup, type Volume, volumeOf } from "./sliding";
import type { PAUSES } from "./words";

export interface StepperState extends BaseState {
  heading: string;
  kernel: number[][][];
  bias: number;
  stride: number;
  padding: number;
  dilation: number;
  operation: Operation;
  position: number;
  channel: number;
  channels: string[];
  speed: keyof typeof PAUSES;
  notes: string[];
  samples: string[];
}

export const SETTINGS = ["kernel", "bias", "stride", "padding", "dilation", "operation"] as const;

export function setupOf(link: Link<StepperState>, input: Volume): Setup {
  return {
    input,
    kernel: volumeOf(link.get("kernel")),
    bias: link.get("bias"),
    stride: link.get("stride"),
    padding: link.get("padding"),
    dilation: link.get("dilation"),
    operation: link.get("operation"),
  };
}

/** The output's row and column on show. */
export function cellOnShow(setup: Setup, position: number): [row: number, column: number] {
  const [rows, columns] = outputSides(setup);
  const at = Math.min(position, rows * columns - 1);
  return [Math.floor(at / columns), at % columns];
}
