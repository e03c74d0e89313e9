// What a changeset file must say; pure functions of its text.

/** A changeset as its bumps by package and its sentence. */
export interface Changeset {
  readonly bumps: Readonly<Record<string, string>>;
  readonly sentence: string;
}

/** Front matter and text of a changeset file; undefined when it has no front matter. */
export function parseChangeset(text: string): Changeset | undefined {
  const match = /^---\r?\n([\s\S]*?)---\r?\n([\s\S]*)$/.exec(text);
  if (match === null) return undefined;
  const [, frontMatter, body] = match as unknown as [string, string, string];
  const lines = [...frontMatter.matchAll(/^["']?([^"'\n:]+)["']?: *(\w+) *$/gm)];
  return { bumps: Object.fromEntries(lines.map(([, name, bump]) => [name, bump])), sentence: body.trim() };
}

/** Sentences on what is wrong with one changeset. */
export function checkChangeset(changeset: Changeset | undefined, published: readonly string[]): string[] {
  if (changeset === undefined)
    return ['begin with front matter: --- then "@flacuna/<name>": minor or patch then ---'];
  const bumps = Object.entries(changeset.bumps);
  return [
    ...(bumps.length === 0 ? ["name the package it is about"] : []),
    ...bumps
      .filter(([name]) => !published.includes(name))
      .map(([name]) => `${name} is not a published package`),
    ...bumps
      .filter(([, bump]) => bump !== "minor" && bump !== "patch")
      .map(
        ([name, bump]) => `${name}: ${bump}; before 1.0 a breaking change is minor and everything else patch`,
      ),
    ...(changeset.sentence === "" ? ["say in one sentence what a user can now do or observe"] : []),
    ...(changeset.sentence.includes("\n") ? ["keep to one sentence on one line"] : []),
  ];
}
