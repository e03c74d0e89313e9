// Counts of instruction rows by component and source; sees no tokens.
import { componentOf, type FlanMiniComponentName } from "./flan-mini.ts";
import type { InstructionExample } from "./instruction-example.ts";

/** Sums over some rows. */
export interface ExampleCounts {
  readonly examples: number;
  readonly messages: number;
  /** UTF-16 units of all values. */
  readonly characters: number;
}

/** Sums over all rows, and over those of each component and source. */
export interface InstructionStatistics extends ExampleCounts {
  readonly byComponent: Readonly<Partial<Record<FlanMiniComponentName | "unknown", ExampleCounts>>>;
  readonly bySource: Readonly<Record<string, ExampleCounts>>;
}

const NOTHING: ExampleCounts = { examples: 0, messages: 0, characters: 0 };

/** The statistics of rows as they stream by, in memory proportional to the number of sources. */
export async function countExamples(
  examples: AsyncIterable<InstructionExample> | Iterable<InstructionExample>,
): Promise<InstructionStatistics> {
  const bySource = new Map<string, ExampleCounts>();
  for await (const { source, conversations } of examples) {
    const characters = conversations.reduce((sum, { value }) => sum + value.length, 0);
    const counts = { examples: 1, messages: conversations.length, characters };
    bySource.set(source, sumOf(bySource.get(source) ?? NOTHING, counts));
  }
  const byComponent = new Map<FlanMiniComponentName | "unknown", ExampleCounts>();
  for (const [source, counts] of bySource) {
    const component = componentOf(source) ?? "unknown";
    byComponent.set(component, sumOf(byComponent.get(component) ?? NOTHING, counts));
  }
  return {
    ...[...bySource.values()].reduce(sumOf, NOTHING),
    byComponent: Object.fromEntries(byComponent),
    bySource: Object.fromEntries([...bySource].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function sumOf(a: ExampleCounts, b: ExampleCounts): ExampleCounts {
  return {
    examples: a.examples + b.examples,
    messages: a.messages + b.messages,
    characters: a.characters + b.characters,
  };
}
