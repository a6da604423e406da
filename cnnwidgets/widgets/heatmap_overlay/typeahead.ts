/** Choosing from a list by typing the first letters of an entry. */

/**
 * Where type-ahead goes from `at`: the next text that begins with `letters`, round the end; one letter typed again
 * goes on to the next. `at` where there is none.
 */
export function typed(texts: readonly string[], letters: string, at: number): number {
  const prefix = letters.toLowerCase();
  const first = prefix.slice(0, 1);
  const repeated = [...prefix].every((letter) => letter === first);
  const next = nextWith(texts, prefix, prefix.length > 1 ? at : at + 1);
  return next ?? (repeated ? nextWith(texts, first, at + 1) : null) ?? at;
}

/** The first text from `start` on, round the end, that begins with `prefix`. */
function nextWith(texts: readonly string[], prefix: string, start: number): number | null {
  for (let step = 0; step < texts.length; step += 1) {
    const i = (start + step + texts.length) % texts.length;
    if (texts[i]!.toLowerCase().startsWith(prefix)) return i;
  }
  return null;
}
