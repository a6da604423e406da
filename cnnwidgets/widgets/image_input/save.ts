/** The image as a PNG, as whoever observes it gets it: after all edits, with its name and how it came to be. */
import { type Photo, photoCanvas } from "../_maps/photo";
import { MARGIN, Sheet } from "../_maps/sheet";
import { fileName, type Png, titleOf } from "../_shared/png";
import type { Link } from "../_shared/view";
import { type Edit, editText, type ImageInputState } from "./state";

/** The longest side; the sheet has twice as many pixels, as many as an image keeps. */
const SIDE = 512;
const TINY = 112;

/** `edits` are those that the photograph has; the newest on the page may be still to come. */
export function imageSheet(link: Link<ImageInputState>, photo: Photo, edits: readonly Edit[]): Png {
  const [rows, columns] = photo.size;
  const [height, width] = photo.size.map((side) => Math.round((side * SIDE) / Math.max(rows, columns)));
  const title = titleOf(link.model, link.get("name") || "Image");
  const sheet = new Sheet(Math.max(width!, 360), 15, 22);
  sheet.heading(title);
  sheet.add(height! + 8, (top) => {
    // Cells of a tiny image are seen as they are.
    sheet.context.imageSmoothingEnabled = Math.max(rows, columns) >= TINY;
    sheet.context.drawImage(photoCanvas(photo), MARGIN, top, width!, height!);
  });
  const [tall, wide] = link.get("sides") as [number, number];
  const drawn = tall === rows && wide === columns ? "" : `, drawn from ${rows} × ${columns}`;
  sheet.text(`${tall} × ${wide} pixels (height × width)${drawn}`);
  if (edits.length > 0) sheet.text(`Edits, first to last: ${edits.map(editText).join(", ")}.`);
  for (const note of link.get("notes")) sheet.text(`⚠ ${note}`);
  return { canvas: sheet.finish(), name: fileName(...title) };
}
