// Shared test settings: workspace packages resolve to their sources, so tests need no build.
import { basename, join } from "node:path";
import { defineConfig } from "vitest/config";

const conditions = ["@flacuna/source", "node", "import", "default"];
/** Where each package's run leaves its counts as JSON, for CI to add up; unset elsewhere. */
const jsonFolder = process.env["VITEST_JSON_DIR"];

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
    reporters: jsonFolder
      ? ["default", ["json", { outputFile: join(jsonFolder, `${basename(process.cwd())}.json`) }]]
      : ["default"],
  },
});
