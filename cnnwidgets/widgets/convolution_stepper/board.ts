/** A grid of numbers on a canvas: colours, the numbers where they can be read, padding, and a frame. */
import { table } from "../_maps/colormaps";
import { contextOf } from "../_shared/dom";
import { brief } from "./words";

export interface Frame {
  top: number;
  left: number;
  rows: number;
  columns: number;
  /** Rows and columns of what is inside the frame and not counted, where the window has gaps: every so many cells. */
  dilation: number;
}

export interface Board {
  /** Row by row, without the padding. */
  values: Float64Array;
  rows: number;
  columns: number;
  padding: number;
  /** What stands in the padding. */
  outside: number;
  /** The magnitude at the ends of the colours. */
  limit: number;
  signed: boolean;
  frame: Frame | null;
  /** How many cells, row by row, are known; the others are empty. */
  filled: number;
  /** Other channels, as cards behind: their values. */
  behind: readonly Float64Array[];
}

const CARD = 5;
const READABLE = 21;
const LARGEST = 44;
/** Under it dashes make no line. */
const DASHED = 14;

/** Pixels of CSS on a side of a cell. */
export function cellSide(board: Board, room: number): number {
  const around = 2 * board.padding;
  const free = room - CARD * board.behind.length;
  const across = free / (board.columns + around);
  // A tall input is no higher than it may be wide.
  const down = Math.max(free, 160) / (board.rows + around);
  return Math.max(2, Math.floor(Math.min(LARGEST, across, down)));
}

/** Between 0 and 255: where in its colour map a value stands. */
export function levelOf(value: number, { limit, signed }: Pick<Board, "limit" | "signed">): number {
  const share = limit > 0 ? value / limit : 0;
  return Math.round(Math.min(1, Math.max(0, signed ? (share + 1) / 2 : share)) * 255);
}

export function colourOf(value: number, board: Pick<Board, "limit" | "signed">): [number, number, number] {
  const colours = table(board.signed ? "blue-red" : "gray");
  const at = levelOf(value, board) * 3;
  return [colours[at]!, colours[at + 1]!, colours[at + 2]!];
}

/** Black or white, whichever is read better on a colour (by WCAG's contrast). */
export function letterOn(colour: readonly [number, number, number]): string {
  const [red, green, blue] = colour.map((level) => {
    const share = level / 255;
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

interface Look {
  paper: string;
  soft: string;
  line: string;
  accent: string;
}

/** A theme's colours as the canvas takes them: of a variable itself only the text can be read, `light-dark(...)`. */
function lookOf(canvas: HTMLCanvasElement): Look {
  const read = (name: string, otherwise: string) => {
    canvas.style.color = `var(${name})`;
    return getComputedStyle(canvas).color || otherwise;
  };
  return {
    paper: read("--cnnw-bg", "#fff"),
    soft: read("--cnnw-soft", "#59636e"),
    line: read("--cnnw-line", "#dfe3e8"),
    accent: read("--cnnw-activation", "#bc4c00"),
  };
}

/** Paints `board` and returns the side of its cells in pixels of CSS. */
export function paintBoard(canvas: HTMLCanvasElement, board: Board, room: number): number {
  const side = cellSide(board, room);
  const look = lookOf(canvas);
  const ratio = window.devicePixelRatio || 1;
  const cards = CARD * board.behind.length;
  const [width, height] = [
    side * (board.columns + 2 * board.padding) + cards,
    side * (board.rows + 2 * board.padding) + cards,
  ];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const [at, values] of [...board.behind.entries()].reverse()) {
    paintCard(context, { ...board, values }, side, look, [CARD * (at + 1), cards - CARD * (at + 1)]);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, cards * ratio);
  paintCells(context, board, side, look);
  if (board.frame) paintFrame(context, board.frame, board.padding, side, look.accent);
  return side;
}

/** The row and column of the input under a point on the canvas; those of the padding are outside of it. */
export function cellUnder(board: Board, side: number, x: number, y: number): [number, number] {
  return [Math.floor((y - CARD * board.behind.length) / side) - board.padding, Math.floor(x / side) - board.padding];
}

function paintCard(
  context: CanvasRenderingContext2D,
  board: Board,
  side: number,
  look: Look,
  [right, down]: readonly [number, number],
): void {
  context.save();
  context.translate(right, down);
  paintCells(context, { ...board, behind: [] }, side, look, false);
  context.strokeStyle = look.soft;
  context.lineWidth = 1;
  context.strokeRect(
    0.5,
    0.5,
    side * (board.columns + 2 * board.padding) - 1,
    side * (board.rows + 2 * board.padding) - 1,
  );
  context.restore();
}

function paintCells(context: CanvasRenderingContext2D, board: Board, side: number, look: Look, written = true): void {
  const { rows, columns, padding, values, filled } = board;
  const gap = side >= 8 ? 1 : 0;
  context.fillStyle = look.paper;
  context.fillRect(0, 0, side * (columns + 2 * padding), side * (rows + 2 * padding));
  context.font = `${side >= 36 ? 11 : side >= 25 ? 10 : 9}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = -padding; row < rows + padding; row += 1) {
    for (let column = -padding; column < columns + padding; column += 1) {
      const [x, y] = [(column + padding) * side, (row + padding) * side];
      const isInside = row >= 0 && row < rows && column >= 0 && column < columns;
      const at = row * columns + column;
      if (isInside && at < filled) {
        const colour = colourOf(values[at]!, board);
        context.fillStyle = `rgb(${colour.join(",")})`;
        context.fillRect(x, y, side - gap, side - gap);
        if (written && side >= READABLE) write(context, values[at]!, x, y, side, letterOn(colour));
      } else {
        paintEmpty(context, x, y, side - gap, look, !isInside);
        if (!isInside && written && side >= READABLE) write(context, board.outside, x, y, side, look.soft);
      }
    }
  }
}

function write(
  context: CanvasRenderingContext2D,
  value: number,
  x: number,
  y: number,
  side: number,
  colour: string,
): void {
  context.fillStyle = colour;
  context.fillText(brief(value), x + side / 2 - 0.5, y + side / 2, side - 2);
}

/** A cell of the padding is dashed, one that is not computed yet is not. */
function paintEmpty(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  side: number,
  look: Look,
  isPadding: boolean,
): void {
  if (isPadding && side < DASHED) {
    context.fillStyle = look.line;
    context.fillRect(x, y, side, side);
    return;
  }
  context.strokeStyle = isPadding ? look.soft : look.line;
  context.setLineDash(isPadding ? [2, 2] : []);
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
  context.setLineDash([]);
}

function paintFrame(
  context: CanvasRenderingContext2D,
  { top, left, rows, columns, dilation }: Frame,
  padding: number,
  side: number,
  colour: string,
): void {
  const [x, y] = [(left + padding) * side, (top + padding) * side];
  context.strokeStyle = colour;
  context.lineWidth = side >= 12 ? 3 : 2;
  context.strokeRect(x, y, columns * side - 1, rows * side - 1);
  if (dilation === 1) return;
  context.lineWidth = 2;
  for (let row = 0; row < rows; row += dilation) {
    for (let column = 0; column < columns; column += dilation) {
      context.strokeRect(x + column * side + 2, y + row * side + 2, side - 5, side - 5);
    }
  }
}
