/** Text that fits its box. */
export type Measure = (text: string) => number;

/** `text` without its end. */
export function cut(text: string, room: number, measure: Measure): string {
  if (measure(text) <= room) return text;
  const letters = [...text];
  return longest(letters.length, (length) => `${letters.slice(0, length).join("").trimEnd()}…`, room, measure);
}

function longest(most: number, shortened: (length: number) => string, room: number, measure: Measure): string {
  let low = 0;
  let high = Math.min(most, 200);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(shortened(middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return low > 0 || measure("…") <= room ? shortened(low) : "";
}

/** Widths as the browser draws them, each asked for once. */
export function measurer(font: string): Measure {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return (text) => text.length * 7;
  context.font = font;
  const widths = new Map<string, number>();
  return (text) => {
    let width = widths.get(text);
    if (width === undefined) {
      // 500 letters never fit: no need to know by how much
      width = text.length > 400 ? Number.POSITIVE_INFINITY : context.measureText(text).width;
      if (widths.size > 20_000) widths.clear();
      widths.set(text, width);
    }
    return width;
  };
}
