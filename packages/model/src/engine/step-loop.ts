// Steps one after another for as long as there is work: plan, run, hand out what came of it. Decides nothing itself.
import { ModelError } from "../errors.ts";
import { type Advance, Scheduler, type SchedulerLimits, type SchedulerStats } from "./scheduler.ts";
import type { Sequence, Work, WorkSink } from "./sequence.ts";
import type { Read, StepModel, StepResult, StepSequence } from "./step-model.ts";
import { TimeSlice } from "./time-slice.ts";

/** What has happened so far, and what is under way. */
export interface StepLoopStats extends SchedulerStats {
  /** Steps that have begun. */
  readonly steps: number;
}

/** A sequence's part of a step, with its reads. */
interface Member {
  readonly advance: Advance;
  readonly reads: readonly Read[];
}

/** A step that the model is running. */
interface Step {
  readonly members: readonly Member[];
  readonly controller: AbortController;
  readonly outcome: Promise<Outcome>;
}

type Outcome = { readonly results: readonly StepResult[] } | { readonly error: unknown };

/** All work over one model. */
export class StepLoop implements WorkSink {
  readonly #model: StepModel;
  readonly #scheduler: Scheduler;
  #running: Promise<void> | undefined;
  #current: Step | undefined;
  #steps = 0;
  #disposal: Promise<void> | undefined;

  constructor(model: StepModel, limits: SchedulerLimits) {
    this.#model = model;
    this.#scheduler = new Scheduler(model, limits);
  }

  get stats(): StepLoopStats {
    return { ...this.#scheduler.stats, steps: this.#steps };
  }

  /**
   * Lets `work` take part from the next step on.
   *
   * @throws ModelError `MODEL_DISPOSED`
   */
  add(work: Work): Sequence {
    if (this.#disposal) throw disposed();
    const sequence = this.#scheduler.add(work);
    this.#running ??= this.#run();
    return sequence;
  }

  /** Takes a sequence out without a word to its work; a step that nobody waits for any more is cut short. */
  remove(sequence: Sequence): void {
    this.#scheduler.remove(sequence);
    const isWanted = this.#current?.members.some(({ advance }) => advance.sequence.state !== "gone");
    if (isWanted === false) this.#current?.controller.abort();
  }

  /** Fails all work with `MODEL_DISPOSED`, waits for the step under way, and disposes the model. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    for (const sequence of this.#scheduler.sequences()) this.#fail(sequence, disposed());
    await this.#running;
    await this.#model.dispose();
  }

  async #run(): Promise<void> {
    // What is added in one go begins in one step.
    await undefined;
    try {
      for (;;) {
        const advances = this.#scheduler.plan();
        if (advances.length === 0) return;
        const slice = new TimeSlice();
        for (const _ of this.#prepare(advances)) if (slice.isOver) await slice.pause();
        this.#current = this.#begin(advances);
        if (this.#current === undefined) continue;
        const outcome = await this.#current.outcome;
        // Between this and the next beginning nothing is awaited but long preparations: consumers of tokens work while the
        // model does.
        const { members } = this.#current;
        this.#current = undefined;
        this.#finish(members, outcome);
      }
    } catch (error) {
      for (const sequence of this.#scheduler.sequences()) this.#fail(sequence, error);
    } finally {
      this.#running = undefined;
    }
  }

  /** What work has to do before its reads, in small parts; what fails at it fails alone. */
  *#prepare(advances: readonly Advance[]): Generator<void, void> {
    for (const { sequence } of advances) {
      try {
        yield* sequence.work.prepare?.() ?? [];
      } catch (error) {
        this.#fail(sequence, error);
      }
    }
  }

  /** The planned step without what has gone since, if anything is left. */
  #begin(advances: readonly Advance[]): Step | undefined {
    const members = advances.flatMap((advance) => this.#toMember(advance));
    if (members.length === 0) return undefined;
    this.#steps += 1;
    const controller = new AbortController();
    return { members, controller, outcome: this.#compute(members, controller.signal) };
  }

  async #compute(members: readonly Member[], signal: AbortSignal): Promise<Outcome> {
    try {
      return { results: await this.#model.run({ sequences: members.map(toStepSequence) }, { signal }) };
    } catch (error) {
      return { error };
    }
  }

  #finish(members: readonly Member[], outcome: Outcome): void {
    if ("error" in outcome) {
      for (const { advance } of members) this.#fail(advance.sequence, outcome.error);
      return;
    }
    this.#scheduler.commit(members.map(({ advance }) => advance));
    this.#handOut(members, outcome.results);
  }

  /** An advance with its reads; none when asking for them fails, which fails this work alone. */
  #toMember(advance: Advance): Member[] {
    const { sequence, start, end } = advance;
    if (sequence.state === "gone") return [];
    try {
      return [{ advance, reads: sequence.work.reads(start, end) }];
    } catch (error) {
      this.#fail(sequence, error);
      return [];
    }
  }

  #handOut(members: readonly Member[], results: readonly StepResult[]): void {
    let at = 0;
    for (const { advance, reads } of members) {
      const own = results.slice(at, at + reads.length);
      at += reads.length;
      const { sequence } = advance;
      if (own.length === 0 || sequence.state === "gone") continue;
      try {
        if (sequence.work.accept(own)) this.remove(sequence);
      } catch (error) {
        this.#fail(sequence, error);
      }
    }
  }

  #fail(sequence: Sequence, error: unknown): void {
    if (sequence.state === "gone") return;
    this.remove(sequence);
    sequence.work.fail(error);
  }
}

function toStepSequence({ advance, reads }: Member): StepSequence {
  const { sequence, start, end } = advance;
  const { tokens, adapter } = sequence.work;
  return { tokens: tokens.slice(start, end), position: start, pages: sequence.pages, adapter, reads };
}

const disposed = () => new ModelError("MODEL_DISPOSED", "the language model was disposed before");
