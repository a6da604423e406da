/** The photograph that maps lie over, as it came from Python. */
import { h, putImage } from "../_shared/dom";
import type { Data } from "../_shared/view";
import { opaque } from "./paint";
import type { Size } from "./resample";
import "./maps.css";

export interface Photo {
  id: number;
  size: Size;
  /** RGB, row by row. */
  pixels: Uint8Array;
}

/** What a "picture" push holds; null if it holds none. */
export function photoOf({ id, arrays: { pixels } }: Data): Photo | null {
  if (!pixels) return null;
  const [height = 0, width = 0] = pixels.shape;
  return { id, size: [height, width], pixels: pixels.data as Uint8Array };
}

export function photoImage({ size: [height, width], pixels }: Photo): ImageData {
  return new ImageData(opaque(pixels), width, height);
}

export function photoCanvas(photo: Photo): HTMLCanvasElement {
  const canvas = h("canvas");
  putImage(canvas, photoImage(photo));
  return canvas;
}
