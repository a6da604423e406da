/** What a saved map is called. */

/** `layer-channel.png`, with what a file system may refuse replaced. */
export function fileName(layer: string, channel: number): string {
  const safe = layer
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^\.+/, "")
    .slice(0, 100);
  return `${safe || "maps"}-${channel}.png`;
}
