// Shared test settings: workspace packages resolve to their sources, so tests need no build.
import { defineConfig } from "vitest/config";

const conditions = ["@flacuna/source", "node", "import", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    pool: "forks",
    include: ["src/**/*.test.ts", "**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 60_000,
    passWithNoTests: false,
  },
});
