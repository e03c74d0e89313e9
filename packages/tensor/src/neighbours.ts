// Who makes the values of a program and who reads them.
import type { Equation, Program, Var } from "./program.ts";

/** A use of a composite. */
export type CompositeEquation = Extract<Equation, { primitive: "composite" }>;

/** Whether an equation uses a composite of one of these names. */
export const isComposite = (
  equation: Equation | undefined,
  names: readonly string[],
): equation is CompositeEquation =>
  equation?.primitive === "composite" && names.includes(equation.params.composite.name);

/** Where a program's values come from and who reads them; an output of the program counts as a reader. */
export class Neighbours {
  private readonly producers = new Map<number, Equation>();
  private readonly readers = new Map<number, (Equation | "output")[]>();

  constructor(program: Program) {
    for (const equation of program.equations) {
      for (const { id } of equation.inputs) this.addReader(id, equation);
      for (const { id } of equation.outputs) this.producers.set(id, equation);
    }
    for (const { variable } of program.outputs) this.addReader(variable.id, "output");
  }

  private addReader(id: number, reader: Equation | "output"): void {
    const readers = this.readers.get(id);
    if (readers === undefined) this.readers.set(id, [reader]);
    else readers.push(reader);
  }

  producerOf = ({ id }: Var): Equation | undefined => this.producers.get(id);
  readersOf = ({ id }: Var): readonly (Equation | "output")[] => this.readers.get(id) ?? [];

  /** The composite of one of these names that makes `variable` for a single reader. */
  onlyFor(variable: Var, names: readonly string[]): CompositeEquation | undefined {
    const producer = this.producerOf(variable);
    return isComposite(producer, names) && this.readersOf(variable).length === 1 ? producer : undefined;
  }
}
