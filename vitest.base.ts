// Shared test settings: workspace packages resolve to their sources, so tests need no build.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const conditions = ["@flacuna/source", "node", "import", "default"];
/** Where each package's run leaves its counts as JSON, for CI to add up; unset elsewhere. */
const jsonFolder = process.env["VITEST_JSON_DIR"];

const { name, dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const computes = "@flacuna/tensor" in { [name]: "", ...dependencies, ...devDependencies };
const kernels = fileURLToPath(new URL("./vitest.kernels.ts", import.meta.url));

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    pool: "forks",
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
    globalSetup: computes ? [kernels] : [],
    reporters: jsonFolder
      ? ["default", ["json", { outputFile: join(jsonFolder, `${basename(process.cwd())}.json`) }]]
      : ["default"],
  },
});
