/** Perceptually even colour maps: 33 anchors each (matplotlib's, CC0), linear between them. */
const ANCHORS = {
  inferno:
    "0000040403120b0724150b37210c4a2e0a5a3c09654a0c6b57106d63146e70196e7d1e6d89226a962766a32b61af315cbb3755c63e4dd14644db4f3be35932eb6528f1711ef67f14f98d0afb9c06fcab0ffbba1ff9ca32f5d949f2e865f3f586fcffa4",
  magma:
    "0000040303110a0822130d331d114628115a36106a430f7650127c5d177f691c817621818226818f2a819c2e7fa9327db63779c33b75cf4170db486ae65163ee5c5ef5695cf9785dfb8761fd9668fea571feb47bfec387fed194fde0a2fceeb0fcfdbf",
  viridis:
    "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d2f6a8e2c728e297a8e26818e23898e21908c1f988b1f9f8821a68528ae8031b57b3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51afde725",
  cividis:
    "00224e00285b002e6a0433711a386f273e6e32436d3b496c434e6c4b546c52596d5a5f6e61656f686a716f70737576767c7b788481798b8778938d789b9376a39a75aba072b3a670bbad6cc3b469ccba64d4c15fddc958e6d051efd748f8df3cfee838",
  "blue-red":
    "0530610e41781752901f63a72a71b2347fb93f8dc0529cc86bacd083bcd99ac9e0aed3e6c1ddecd3e6f0dfecf3ebf1f5f7f7f6f9eee8fbe6d9fdddcafbceb6f8bda0f5ac8bee9878e58268dc6d57d25749c6413ebb2a34ad162a960f267e082367001f",
  "purple-green":
    "40004b510d5d621a6e73277f7f3c8d8a51999567a6a17ab2ad8abdba9bc8c7abd2d2badadec8e2e8d6e9ede1eef2ecf2f7f7f6eef5ece4f3e1dbf0d5ccebc6bce4b6acdea698d39480c58168b66d52a75c3e964f2b864219753511642c08542400441b",
  gray: "000000ffffff",
} as const;

export type ColormapName = keyof typeof ANCHORS;

export const SEQUENTIAL = [
  ["inferno", "Inferno"],
  ["magma", "Magma"],
  ["viridis", "Viridis"],
  ["cividis", "Cividis (colour-blind safe)"],
  ["gray", "Grey"],
] as const satisfies readonly (readonly [ColormapName, string])[];

export const DIVERGING = [
  ["blue-red", "Blue to red"],
  ["purple-green", "Purple to green"],
] as const satisfies readonly (readonly [ColormapName, string])[];

/** What is painted where a value is NaN or infinite: no colour of any map. */
export const NOT_FINITE = [255, 0, 255] as const;

const tables = new Map<ColormapName, Uint8Array>();

export function isColormap(name: string): name is ColormapName {
  return Object.hasOwn(ANCHORS, name);
}

/** 256 RGB triples, flat. */
export function table(name: ColormapName): Uint8Array {
  const present = tables.get(name);
  if (present) return present;
  const hex = ANCHORS[name];
  const count = hex.length / 6;
  const channel = (anchor: number, c: number) =>
    Number.parseInt(hex.slice(anchor * 6 + c * 2, anchor * 6 + c * 2 + 2), 16);
  const rgb = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i += 1) {
    const at = (i / 255) * (count - 1);
    const low = Math.min(Math.floor(at), count - 2);
    for (let c = 0; c < 3; c += 1) {
      rgb[i * 3 + c] = Math.round(channel(low, c) + (channel(low + 1, c) - channel(low, c)) * (at - low));
    }
  }
  tables.set(name, rgb);
  return rgb;
}

/** A CSS gradient from the lowest to the highest colour. */
export function gradient(name: ColormapName, direction = "to right"): string {
  const colours = table(name);
  const stops: string[] = [];
  for (let i = 0; i <= 16; i += 1) {
    const at = Math.round((i / 16) * 255) * 3;
    stops.push(`rgb(${colours[at]},${colours[at + 1]},${colours[at + 2]})`);
  }
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}
