/** Jupyter's web socket refuses messages over 10 MB unless told otherwise, and then says nothing. */
export const LIMIT = 9_500_000;

/** Why a file cannot be sent, or an empty string. */
export function tooLarge(bytes: number): string {
  if (bytes === 0) return "The file is empty. Choose an image.";
  if (bytes <= LIMIT) return "";
  const size = (bytes / 1e6).toFixed(1);
  return `The file has ${size} MB; at most 9.5 MB can be sent to the kernel. Save it smaller, or pass its path to explore().`;
}

/** The picture in `file` small enough to be sent, with its new size in its name; as it is if the browser cannot read it. */
export async function shrunk(file: File): Promise<{ name: string; content: Blob }> {
  const picture = await createImageBitmap(file).catch(() => null);
  const smaller = picture && (await jpegWithin(picture, 4096));
  if (!smaller) return { name: file.name, content: file };
  return { name: `${file.name}, made ${smaller.size} to be sent`, content: smaller.content };
}

/** `picture` with no side longer than `side`, or than a half of it, and so on until it can be sent. */
async function jpegWithin(picture: ImageBitmap, side: number): Promise<{ size: string; content: Blob } | null> {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d")!;
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const content = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  if (content && content.size > LIMIT) return jpegWithin(picture, side / 2);
  return content && { size: `${canvas.width} × ${canvas.height}`, content };
}
