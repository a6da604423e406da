/** Methods by what they are made of. */
import type { Method } from "./state";

const HEADINGS: readonly (readonly [family: string, heading: string])[] = [
  ["gradient", "Gradients"],
  ["cam", "Class activation maps"],
  ["perturbation", "Perturbation"],
];
const YOURS = "Yours";

/** [heading, its methods] in a fixed order; a family of the reader's own is under "Yours". Empty ones are left out. */
export function byFamily(methods: readonly Method[]): [heading: string, members: Method[]][] {
  const known = new Map(HEADINGS);
  const found: [string, Method[]][] = [...HEADINGS.map(([, heading]) => heading), YOURS].map((heading) => [
    heading,
    [],
  ]);
  for (const method of methods) {
    const heading = known.get(method[3] ?? "") ?? YOURS;
    found.find(([name]) => name === heading)?.[1].push(method);
  }
  return found.filter(([, members]) => members.length > 0);
}

/**
 * Where type-ahead goes from `at`: the next text that begins with `letters`, round the end; one letter typed again
 * goes on to the next. `at` where there is none.
 */
export function typed(texts: readonly string[], letters: string, at: number): number {
  const wanted = letters.toLowerCase();
  const same = [...wanted].every((letter) => letter === wanted[0]);
  for (const [start, prefix] of [
    [wanted.length > 1 ? at : at + 1, wanted],
    ...(same ? [[at + 1, wanted[0]!] as const] : []),
  ] as const) {
    for (let step = 0; step < texts.length; step += 1) {
      const i = (((start + step) % texts.length) + texts.length) % texts.length;
      if (texts[i]!.toLowerCase().startsWith(prefix)) return i;
    }
  }
  return at;
}
