/** What a saved picture is called, in it and as a file: what it shows, of which photograph and network. */
import type { BaseState, Model } from "./model";

/** `subjects` (method, layer and class), then photograph and network, without what is not known or already said. */
export function titleOf<State extends BaseState>(model: Model<State>, ...subjects: string[]): string[] {
  const base = model as unknown as Model<BaseState>;
  const parts = subjects.filter(Boolean);
  for (const name of [base.get("photograph"), base.get("network")]) {
    const isThere = parts.some((part) => part === name || part.startsWith(`${name} → `));
    if (name && !isThere) parts.push(name);
  }
  return parts;
}

/** The widest a file name may be is 255 bytes. */
const MOST_BYTES = 220;
const MOST_LETTERS = 80;

function slug(text: string, letters: number, bytes: number): string {
  const safe = text.replace(/(?:[^\p{L}\p{N}._]|\.\.)+/gu, "-").replace(/^[-.]+|[-.]+$/gu, "");
  const encoder = new TextEncoder();
  let fitting = [...safe].slice(0, letters).join("");
  while (encoder.encode(fitting).length > bytes) fitting = [...fitting].slice(0, -1).join("");
  return fitting;
}

/** A file name out of the parts of a title: letters, digits, dots and underscores of any script. */
export function fileName(...title: string[]): string {
  const parts = title.filter(Boolean);
  const share = Math.max(1, parts.length);
  const letters = share === 1 ? MOST_LETTERS : 48;
  const slugs = parts.map((part) => slug(part, letters, Math.floor(MOST_BYTES / share))).filter(Boolean);
  return `${slugs.join("-") || "heatmap"}.png`;
}
