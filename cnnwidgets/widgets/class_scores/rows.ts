/** Which bar a point belongs to: rows share the height evenly, top to bottom. */
export function rowAt(y: number, height: number, rows: number): number | null {
  if (rows < 1 || height <= 0 || y < 0 || y >= height) return null;
  return Math.min(rows - 1, Math.floor((y / height) * rows));
}

const WITHIN = /[\p{L}\p{N}]/u;

/** How well `query` fits: 0 the whole name or number, 1 whole words, 2 the beginning of one, 3 within one; 4 not. */
function fitOf(name: string, index: number, query: string): number {
  if (name === query || String(index) === query) return 0;
  let best = 4;
  for (let at = name.indexOf(query); at >= 0; at = name.indexOf(query, at + 1)) {
    const begins = at === 0 || !WITHIN.test(name[at - 1]!);
    const ends = at + query.length === name.length || !WITHIN.test(name[at + query.length]!);
    best = Math.min(best, begins ? (ends ? 1 : 2) : 3);
  }
  return best;
}

/**
 * Classes whose name or number holds the words, at most `most`: whole words before parts of words, and of those that
 * fit as well as one another the likelier first, as `likeliest` has them.
 */
export function search(names: readonly string[], words: string, most: number, likeliest: readonly number[] = []) {
  const query = words.trim().toLowerCase();
  if (!query) return [];
  const rank = new Map(likeliest.map((index, position) => [index, position]));
  const place = (index: number) => rank.get(index) ?? likeliest.length + index;
  return names
    .map((name, index) => ({ index, fits: fitOf(name.toLowerCase(), index, query) }))
    .filter(({ fits }) => fits < 4)
    .sort((a, b) => a.fits - b.fits || place(a.index) - place(b.index))
    .slice(0, most)
    .map(({ index }) => index);
}

/** What the model's own numbers are called, in the menu of what the bars show. */
export function rawName(kind: string | null): string {
  if (kind === "log_softmax" || kind === "log_sigmoid") return "Log-probability";
  return kind === "softmax" || kind === "sigmoid" || kind === "number" ? "Output" : "Logit";
}
