/** The check as a PNG: what the page shows of it, on white. */
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";

const LINE = 20;
const SIDE = 112;
const STEP = SIDE + 12;
const ACROSS = 9;
const WIDTH = ACROSS * STEP - 12;
const CHART = WIDTH / 3;
const HIGH = 150;
/** Colour and thickness of a curve by its class; what has none is the grid. */
const CURVES = { "mc-grey": ["#8b949e", 1], "mc-line": ["#0b6bcb", 2], "mc-dots": ["#0b6bcb", 6] } as const;
const MOST = "largest number of each map";

/** `title` stands above: what is checked (method, layer and class), photograph, network; `root` shows the rest. */
export function checkSheet(title: readonly string[], root: HTMLElement, signed: boolean): HTMLCanvasElement {
  const sheet = new Sheet(WIDTH, 15, LINE);
  const texts = (selector: string) => {
    for (const { textContent } of root.querySelectorAll(selector)) if (textContent) sheet.text(textContent);
  };
  sheet.heading(title);
  texts(".mc-badge, .mc-sentence, .mc-notes > li");
  sheet.add(8);
  const cells = [...root.querySelectorAll<HTMLElement>(".mc-cell")];
  for (let from = 0; from < cells.length; from += ACROSS) addMaps(sheet, cells.slice(from, from + ACROSS));
  const labels = signed ? ([`− ${MOST}`, "0", `+ ${MOST}`] as const) : (["0", "", MOST] as const);
  if (cells.length > 0) sheet.bar(signed ? "blue-red" : "inferno", labels);
  texts(".mc-strip > p");
  sheet.add(8);
  addCharts(sheet, [...root.querySelectorAll<HTMLElement>(".mc-chart")]);
  texts(".mc-charts > p");
  return sheet.finish();
}

function addMaps(sheet: Sheet, cells: readonly HTMLElement[]): void {
  sheet.add(SIDE + 2 * LINE + 12, (top) => {
    sheet.context.imageSmoothingEnabled = false;
    for (const [i, cell] of cells.entries()) {
      const canvas = cell.querySelector("canvas")!;
      const [left, factor] = [MARGIN + i * STEP, SIDE / Math.max(canvas.width, canvas.height)];
      sheet.context.drawImage(canvas, left, top, canvas.width * factor, canvas.height * factor);
      const name = `${cell.dataset["stage"]} ${cell.querySelector("bdi")!.textContent}`;
      sheet.write(name, left, top + SIDE, { colour: SOFT_INK }, SIDE);
      sheet.write(cell.querySelector("b")!.textContent, left, top + SIDE + LINE, { bold: true });
    }
  });
}

function addCharts(sheet: Sheet, charts: readonly HTMLElement[]): void {
  const headings = charts.map((chart) => sheet.fit(chart.querySelector("figcaption")!.textContent, CHART - 24));
  const height = LINE * Math.max(0, ...headings.map(({ length }) => length)) + 8;
  sheet.add(charts.length > 0 ? height + HIGH + 2 * LINE : 0, (top) => {
    for (const [i, chart] of charts.entries()) {
      const left = MARGIN + i * CHART;
      for (const [k, line] of headings[i]!.entries()) sheet.write(line, left, top + LINE * k);
      drawChart(sheet, chart, left + 44, top + height, CHART - 72);
    }
  });
}

/** The lines of the chart are drawn in a box of 100 by 100. */
function drawChart(sheet: Sheet, chart: HTMLElement, left: number, top: number, width: number): void {
  const { context } = sheet;
  const box = new DOMMatrix([width / 100, 0, 0, HIGH / 100, left, top]);
  context.lineCap = "round";
  for (const line of chart.querySelectorAll("svg > *")) {
    const [name, points] = [line.getAttribute("class") as keyof typeof CURVES, line.getAttribute("points")];
    const outline = new Path2D();
    const straight = `M0 ${line.getAttribute("y1")}H100`;
    outline.addPath(new Path2D(line.getAttribute("d") ?? (points === null ? straight : `M${points}`)), box);
    [context.strokeStyle, context.lineWidth] = CURVES[name] ?? ["#dfe3e8", 1];
    context.stroke(outline);
  }
  for (const { textContent, style } of chart.querySelectorAll<HTMLElement>(".mc-plot > span")) {
    const [up, across] = [Number.parseFloat(style.top) / 100, Number.parseFloat(style.left) / 100];
    const [x, y] = style.top ? [left - 8, top + up * HIGH - 0.6 * LINE] : [left + across * width, top + HIGH];
    sheet.write(textContent, x, y, { colour: SOFT_INK, align: style.top ? "right" : "center" });
  }
}
