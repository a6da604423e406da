/** Which layers a typed text finds. */

/** Names that contain every word of `query`, in the order given; capitals do not matter. */
export function matches(names: readonly string[], query: string): string[] {
  const words = query.toLowerCase().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return [];
  return names.filter((name) => {
    const lower = name.toLowerCase();
    return words.every((word) => lower.includes(word));
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
