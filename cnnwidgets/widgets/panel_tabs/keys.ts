/** Which tab a key goes to, of `count`, from the one `at`; -1: none. */
export function moved(key: string, at: number, count: number): number {
  if (at < 0 || count === 0) return -1;
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return -1;
  }
}
