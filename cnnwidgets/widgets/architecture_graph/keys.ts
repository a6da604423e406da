/** What a key does on a focused item, as in any tree. */
import type { Item } from "./state";

export interface Action {
  do: "focus" | "select" | "expand" | "collapse" | "select-expand";
  item: Item;
}

/** `items` in reading order, joins left out. */
export function action(key: string, items: readonly Item[], at: Item): Action | undefined {
  const index = items.indexOf(at);
  const focus = (item: Item | undefined): Action | undefined => item && { do: "focus", item };
  const folded = at.group !== undefined && !at.open;
  switch (key) {
    case "ArrowDown":
      return focus(items[index + 1]);
    case "ArrowUp":
      return focus(items[index - 1]);
    case "Home":
      return focus(items[0]);
    case "End":
      return focus(items.at(-1));
    case "ArrowRight":
      if (folded) return { do: "expand", item: at };
      return at.open ? focus(items[index + 1]) : undefined;
    case "ArrowLeft":
      if (at.open) return { do: "collapse", item: at };
      return focus(
        items
          .slice(0, index)
          .reverse()
          .find((item) => item.level < at.level && item.open),
      );
    case "Enter":
      return { do: folded ? "select-expand" : "select", item: at };
    case " ":
      return { do: "select", item: at };
    default:
      return undefined;
  }
}

/** Top to bottom, then left to right: a frame comes before what is in it. */
export function readingOrder(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => a.y - b.y || a.x - b.x || a.level - b.level);
}
