// Bundles every widgets/*/widget.ts and pages/page.ts, and the CSS they import, into ../static/NAME.js and NAME.css.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const widgets = join(here, "..", "widgets");
const entries = readdirSync(widgets)
  .map((name) => ({ in: join(widgets, name, "widget.ts"), out: name }))
  .filter((entry) => existsSync(entry.in));
entries.push({ in: join(here, "..", "pages", "page.ts"), out: "page" });

const options = {
  entryPoints: entries,
  outdir: join(here, "..", "static"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  await (await context({ ...options, minify: false })).watch();
} else {
  await build(options);
}
