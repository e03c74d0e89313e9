// Packs the published packages as `pnpm publish` would. Builds nothing: what `dist` holds is what is packed.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runPnpm } from "./pnpm.ts";
import { type Member, PUBLISHED_MEMBERS } from "./workspace.ts";

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A published package as a tarball. */
export interface Tarball {
  readonly member: Member;
  /** Absolute path of the `.tgz`. */
  readonly file: string;
}

/**
 * Packs every published package into `folder`.
 *
 * @throws Error when a package is not built
 */
export function packAll(folder: string): Tarball[] {
  const unbuilt = PUBLISHED_MEMBERS.filter(
    ({ folder: home }) => !existsSync(join(ROOT, home, "dist/index.js")),
  );
  if (unbuilt.length > 0) {
    const names = unbuilt.map(({ name }) => name).join(", ");
    throw new Error(`${names}: not built; run \`npx -y pnpm@10 turbo run build\` first`);
  }
  const filters = PUBLISHED_MEMBERS.flatMap(({ name }) => ["--filter", name]);
  const output = runPnpm(ROOT, ["-r", ...filters, "pack", "--pack-destination", folder, "--json"]);
  const packed = JSON.parse(output) as { name: string; filename: string }[];
  return PUBLISHED_MEMBERS.map((member) => {
    const entry = packed.find(({ name }) => name === member.name);
    if (entry === undefined) throw new Error(`${member.name}: pnpm pack made no tarball of it`);
    return { member, file: entry.filename };
  });
}
