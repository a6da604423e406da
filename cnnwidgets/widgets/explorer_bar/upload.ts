/** Jupyter's web socket refuses messages over 10 MB unless told otherwise, and then says nothing. */
const LIMIT = 9_500_000;

/** Why a file cannot be sent, or an empty string. */
export function tooLarge(bytes: number): string {
  if (bytes === 0) return "The file is empty. Choose an image.";
  if (bytes <= LIMIT) return "";
  const size = (bytes / 1e6).toFixed(1);
  return `The file has ${size} MB; at most 9.5 MB can be sent to the kernel. Save it smaller, or pass its path to explore().`;
}
