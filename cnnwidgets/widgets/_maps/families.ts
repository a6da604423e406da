/** Methods by what they are made of. */
import type { Method } from "./scale";

const HEADINGS: readonly (readonly [family: string, heading: string])[] = [
  ["gradient", "Gradients"],
  ["cam", "Class activation maps"],
  ["perturbation", "Perturbation"],
];
const YOURS = "Yours";

/** [heading, its methods] in a fixed order; a family of the reader's own is under "Yours". Empty ones are left out. */
export function byFamily(methods: readonly Method[]): [heading: string, members: Method[]][] {
  const headings = new Map(HEADINGS);
  const headingOf = ([, , , family = ""]: Method) => headings.get(family) ?? YOURS;
  return [...headings.values(), YOURS]
    .map((heading): [string, Method[]] => [heading, methods.filter((method) => headingOf(method) === heading)])
    .filter(([, members]) => members.length > 0);
}
