/** Which bar a point belongs to: rows share the height evenly, top to bottom. */
export function rowAt(y: number, height: number, rows: number): number | null {
  if (rows < 1 || height <= 0 || y < 0 || y >= height) return null;
  return Math.min(rows - 1, Math.floor((y / height) * rows));
}

/** Classes whose name or number holds the words, at most `most`, best first: a name that begins so, then the rest. */
export function search(names: readonly string[], words: string, most: number): number[] {
  const query = words.trim().toLowerCase();
  if (!query) return [];
  const begins: number[] = [];
  const holds: number[] = [];
  names.forEach((name, index) => {
    const lower = name.toLowerCase();
    if (String(index) === query || lower.startsWith(query)) begins.push(index);
    else if (lower.includes(query)) holds.push(index);
  });
  return [...begins, ...holds].slice(0, most);
}

/** What the model's own numbers are called, in the menu of what the bars show. */
export function rawName(kind: string | null): string {
  if (kind === "log_softmax" || kind === "log_sigmoid") return "Log-probability";
  return kind === "softmax" || kind === "sigmoid" || kind === "number" ? "Output" : "Logit";
}
