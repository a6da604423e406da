/** Which tab a key goes to, of `count`, from the one at `now`; -1: none. */
export function moved(key: string, now: number, count: number): number {
  if (now < 0 || count === 0) return -1;
  switch (key) {
    case "ArrowRight":
      return (now + 1) % count;
    case "ArrowLeft":
      return (now - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return -1;
  }
}
