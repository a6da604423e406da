// Bundles tests/**/*.test.ts and runs them with node's own test runner.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const tests = join(here, "..", "..", "tests");
const found = readdirSync(tests, { recursive: true })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join(tests, name));
if (found.length === 0) throw new Error(`no *.test.ts under ${tests}`);

// Inside node_modules' parent, so that the bundles find happy-dom.
const out = mkdtempSync(join(here, "node_modules", ".tests-"));
try {
  await build({
    entryPoints: found,
    outdir: out,
    outbase: tests,
    outExtension: { ".js": ".test.mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["happy-dom"],
    loader: { ".css": "empty" },
    logLevel: "warning",
  });
  const files = readdirSync(out, { recursive: true })
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => join(out, name));
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
