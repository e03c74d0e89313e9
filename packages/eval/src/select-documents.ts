// Which documents a limited evaluation uses.

import type { TaskDocument } from "./task.ts";

/**
 * At most `limit` documents, spread evenly over the groups: the first of each group, then the second of each, and so on; in
 * their original order. All of them when `limit` is undefined.
 */
export function selectDocuments<Document extends TaskDocument>(
  documents: readonly Document[],
  limit: number | undefined,
): readonly Document[] {
  if (limit === undefined || limit >= documents.length) return documents;
  const seen = new Map<string, number>();
  const ranked = documents.map((document, index) => {
    const rank = seen.get(document.group) ?? 0;
    seen.set(document.group, rank + 1);
    return { document, index, rank };
  });
  return ranked
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .slice(0, limit)
    .sort((a, b) => a.index - b.index)
    .map(({ document }) => document);
}
