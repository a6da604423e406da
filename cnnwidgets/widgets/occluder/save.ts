/** What is seen as a PNG: the edited picture, the map of the sweep if there is one, and the words with them. */
import { barLabels } from "../_maps/scale";
import { INK, MARGIN, Sheet } from "../_maps/sheet";
import type { Link } from "../_shared/view";
import { dropLabels, LISTED_CLASSES } from "./legend";
import type { HeatScale, PatchStage } from "./stage";
import type { OccluderState } from "./state";
import { fillText, type Patch, type Scores, type SweepView, spoken } from "./state";
import type { SweepPanel } from "./sweep";
import { countsOf, madeOf, type Swept } from "./swept";

/** What the bars show, and of which patches. */
export interface Current {
  scores: Scores | null;
  patches: readonly Patch[];
  selected: number | null;
}

const SIDE = 480;

/** How a sweep's map was made, and what its colours stand for. */
function sweepSentence(swept: Swept, view: SweepView): string {
  const shows = view === "drop" ? `drop of ${swept.target}` : "predicted class";
  return `Sweep: ${madeOf(swept)}, ${swept.rows} × ${swept.columns} places: ${shows}.`;
}

/** What the patches are; empty where there is none. */
function patchesSentence(patches: readonly Patch[]): string {
  const texts = patches.map(
    ({ height, width, fill, color }) => `${height} × ${width} px (height × width), ${fillText(fill, color)} fill`,
  );
  return texts.length > 0 ? `${texts.length === 1 ? "Patch" : "Patches"}: ${[...new Set(texts)].join("; ")}.` : "";
}

/** `title` stands above: what is hidden from which class, photograph, network. */
export function occluderSheet(
  link: Link<OccluderState>,
  title: readonly string[],
  { scores, patches }: Current,
  stage: PatchStage,
  { figure, colours }: SweepPanel,
  swept: Swept | null,
  heatLayer: string,
): HTMLCanvasElement {
  const view = link.get("view");
  const { scale } = stage;
  const edited = scale ? [stage.canvas, stage.heat] : [stage.canvas];
  const first = stage.canvas;
  const factor = SIDE / Math.max(first.width, first.height);
  const [width, height] = [Math.round(first.width * factor), Math.round(first.height * factor)];
  const sheet = new Sheet(Math.max(swept ? 2 * width + MARGIN : width, 320));
  const right = MARGIN + width + MARGIN;
  sheet.heading(title);
  sheet.add(height + 16, (top) => {
    const { context } = sheet;
    context.imageSmoothingEnabled = first.width >= 112;
    for (const layer of edited) {
      context.globalAlpha = layer === first ? 1 : 0.55;
      context.drawImage(layer, MARGIN, top, width, height);
    }
    context.globalAlpha = 1;
    if (swept)
      for (const layer of [figure.photoCanvas, figure.canvas]) context.drawImage(layer, right, top, width, height);
    outlinePatches(context, patches, top, factor);
  });
  if (scale) addHeatBar(sheet, scale, width, swept !== null && view === "drop" && dropLabels(swept) !== null);
  if (swept) addLegend(sheet, swept, view, colours, right, width);
  const sentences = [
    scores && patches.length > 0 ? spoken(scores) : "",
    ...link.get("notes"),
    swept ? link.get("sweep_text") : "",
    scale ? `Over the picture: its Grad-CAM${heatLayer} with the patches on it, on a scale of its own.` : "",
    scale ? barSentence(scale) : "",
    swept ? sweepSentence(swept, view) : "",
    patchesSentence(patches),
  ];
  for (const sentence of sentences) sheet.text(sentence);
  return sheet.finish();
}

/** Under the edited picture; `beside` the bar of the sweep's map, which keeps the room for both. */
function addHeatBar(sheet: Sheet, scale: HeatScale, width: number, beside: boolean): void {
  const { limit, sign, name, clipped, digits } = scale;
  const [low, , high] = barLabels(limit, sign, clipped, digits);
  const draw = (top: number) => sheet.ramp(limit > 0 ? name : null, [low, "", high], MARGIN, top, width);
  sheet.add(beside ? 0 : 16 + sheet.line, draw);
}

/** In words, since it is wider than the bar of a narrow picture. */
function barSentence({ limit, unit }: HeatScale): string {
  if (!unit) return "";
  return limit > 0 ? `The colour bar under it: ${unit}.` : `${unit}.`;
}

function outlinePatches(context: CanvasRenderingContext2D, patches: readonly Patch[], y: number, factor: number): void {
  for (const [colour, line] of [
    ["#000", 4],
    ["#fff", 2],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    for (const { top, left, width, height } of patches) {
      context.strokeRect(MARGIN + left * factor, y + top * factor, width * factor, height * factor);
    }
  }
}

/** Under the map: the scale of the drops, or the classes with their colours. */
function addLegend(
  sheet: Sheet,
  swept: Swept,
  view: SweepView,
  colours: ReadonlyMap<number, string>,
  left: number,
  width: number,
): void {
  const labels = dropLabels(swept);
  if (view === "drop") {
    if (labels) sheet.add(16 + sheet.line, (top) => sheet.ramp("blue-red", labels, left, top, width));
    return;
  }
  for (const { index, name, places } of countsOf(swept).slice(0, LISTED_CLASSES)) {
    sheet.add(sheet.line, (top) => {
      sheet.context.fillStyle = colours.get(index) ?? "#555";
      sheet.context.fillRect(left, top + 6, 16, 16);
      sheet.write(`${name}: ${places}`, left + 24, top, { colour: INK }, width - 24);
    });
  }
}
