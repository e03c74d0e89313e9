// The workspace as the checks see it: its members, their names and who may import whom. Reads no source.

/** A member of the workspace by its folder. */
export interface Member {
  /** Folder from the repository root, without a slash at the end. */
  readonly folder: string;
  /** Name in its package.json. */
  readonly name: string;
  readonly isPublished: boolean;
  /** Names of the members it may import; the arrows of docs/architecture.md. */
  readonly mayImport: readonly string[];
}

/** What the scope of the published packages begins with. */
export const SCOPE = "@flacuna/";

const PUBLISHED: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  model: ["tensor"],
  lora: ["tensor", "model"],
  data: [],
  eval: [],
  serve: [],
};

const ALL_PUBLISHED = Object.keys(PUBLISHED).map((name) => SCOPE + name);

/** Every member, published packages first. */
export const MEMBERS: readonly Member[] = [
  ...Object.entries(PUBLISHED).map(([name, mayImport]) => ({
    folder: `packages/${name}`,
    name: SCOPE + name,
    isPublished: true,
    mayImport: mayImport.map((other) => SCOPE + other),
  })),
  { folder: "apps/flacuna", name: "flacuna", isPublished: false, mayImport: ALL_PUBLISHED },
  { folder: "test", name: "@flacuna/test", isPublished: false, mayImport: [...ALL_PUBLISHED, "flacuna"] },
  { folder: "tools", name: "@flacuna/tools", isPublished: false, mayImport: ALL_PUBLISHED },
];

/** The packages that go to the registry. */
export const PUBLISHED_MEMBERS: readonly Member[] = MEMBERS.filter((member) => member.isPublished);

/** The member that owns `file`, if any does. */
export function memberOf(file: string): Member | undefined {
  return MEMBERS.find((member) => file.startsWith(`${member.folder}/`));
}

/** Whether `file` is for tests only: it is not built and no rule about shipped code holds for it. */
export function isTestFile(file: string): boolean {
  return file.startsWith("test/") || /\.test(-d)?\.ts$|\/fixtures\//.test(file);
}
