/** Saves a canvas as a PNG, without a server. */
import { h } from "../_shared/dom";

/** `layer-channel.png`, with what a file system may refuse replaced. */
export function fileName(layer: string, channel: number): string {
  const safe = layer
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^\.+/, "")
    .slice(0, 100);
  return `${safe || "maps"}-${channel}.png`;
}

export function save(canvas: HTMLCanvasElement, layer: string, channel: number): void {
  canvas.toBlob((blob) => {
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    h("a", { href: url, download: fileName(layer, channel) }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
}
