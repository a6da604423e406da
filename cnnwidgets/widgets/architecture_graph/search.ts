/** Which layers a typed text finds. */

/** Names of which every word of `query` is in the name or in its facts, in the order given; capitals do not matter. */
export function matches(names: readonly string[], query: string, facts: readonly string[] = []): string[] {
  const words = query
    .toLowerCase()
    .replaceAll(/(\d)\s*×\s*(?=\d)/gu, "$1x")
    .split(/\s+/u)
    .filter(Boolean);
  if (words.length === 0) return [];
  return names.filter((name, index) => {
    const lower = name.toLowerCase();
    const known = facts[index] ?? "";
    // of a number only the whole: 12 is not in 112, nor 3x3 in 13x3
    const isFact = (word: string) => (/^\d/u.test(word) ? known.split(" ").includes(word) : known.includes(word));
    return words.every((word) => lower.includes(word) || isFact(word));
  });
}

/** The match after `at` (-1 before the first), around the end. */
export function following(at: number, count: number, step: 1 | -1): number {
  if (count === 0) return -1;
  if (at < 0) return step > 0 ? 0 : count - 1;
  return (at + step + count) % count;
}

/** "3 of 12", "12 found", "no match". */
export function summary(at: number, count: number): string {
  if (count === 0) return "no match";
  return at < 0 ? `${count} found` : `${at + 1} of ${count}`;
}
