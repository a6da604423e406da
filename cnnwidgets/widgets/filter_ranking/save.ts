/** The ranking and the groups as a picture. */
import { pictureCanvas } from "../_maps/mosaic";
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { number, percent } from "../_shared/format";
import { GROUP_COLOURS, type GroupPlace, type Groups, type Ranking } from "./content";

const LINE = 22;
const MOST = 20;
const LABEL = 70;
const PATCH = 56;

export function rankingSheet(
  title: readonly string[],
  ranking: Ranking | null,
  groups: Groups | null,
  photo: HTMLCanvasElement,
  places: readonly GroupPlace[][],
  off: readonly number[],
): HTMLCanvasElement {
  const sheet = new Sheet(480, 15, LINE);
  sheet.heading(title);
  if (ranking) drawRanking(sheet, ranking, off);
  if (groups) drawGroups(sheet, groups, photo, places);
  for (const note of [...(ranking?.notes ?? []), ...(groups?.notes ?? [])]) sheet.text(`⚠ ${note}`);
  return sheet.finish();
}

function drawRanking(sheet: Sheet, { order, drops, longest, unit, score }: Ranking, off: readonly number[]): void {
  sheet.text(`Fall of the ${unit}${score === null ? "" : ` of ${number(score)}`} without each filter`);
  for (const channel of order.slice(0, MOST)) {
    sheet.add(LINE, (top) => {
      const drop = drops[channel]!;
      sheet.write(`${channel}${off.includes(channel) ? " off" : ""}`, MARGIN, top, { bold: true }, LABEL);
      sheet.context.fillStyle = drop < 0 ? "#bc4c00" : "#0b6bcb";
      const width = longest > 0 ? (280 * Math.abs(drop)) / longest : 0;
      sheet.context.fillRect(MARGIN + LABEL, top + 5, width, LINE - 10);
      sheet.write(number(drop), MARGIN + LABEL + 290, top, { colour: SOFT_INK });
    });
  }
  if (order.length > MOST) sheet.text(`and ${order.length - MOST} more filters`);
}

function drawGroups(sheet: Sheet, groups: Groups, photo: HTMLCanvasElement, places: readonly GroupPlace[][]): void {
  const height = (320 * photo.height) / photo.width;
  sheet.add(height + 10, (top) => sheet.context.drawImage(photo, MARGIN, top, 320, height));
  for (const [group, channels] of groups.channels.entries()) {
    sheet.add(LINE, (top) => {
      sheet.context.fillStyle = `rgb(${GROUP_COLOURS[group % GROUP_COLOURS.length]!.join()})`;
      sheet.context.fillRect(MARGIN, top + 4, LINE - 8, LINE - 8);
      const weight = groups.weights ? `; ${number(groups.weights[group]!)} of the score` : "";
      sheet.write(`filters ${channels.slice(0, 5).join(", ")}${weight}`, MARGIN + LINE, top);
    });
    const patches = places[group] ?? [];
    if (patches.length === 0) continue;
    sheet.add(PATCH + 8, (top) => {
      for (const [at, { picture }] of patches.entries()) {
        const scale = PATCH / Math.max(picture.width, picture.height);
        const [left, canvas] = [MARGIN + LINE + at * (PATCH + 6), pictureCanvas(picture, "")];
        sheet.context.drawImage(canvas, left, top, picture.width * scale, picture.height * scale);
      }
    });
  }
  sheet.text(`The groups make up ${percent(groups.explained)} of the layer's maps.`);
}
