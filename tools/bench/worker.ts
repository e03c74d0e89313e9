// A worker process that obeys commands as JSON lines: starts it, asks it, reads its memory and processor time, stops it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { peakBytesOf, processorSecondsOf } from "./process-usage.ts";
import type { Batch, Hello, OurSettings, PeerSettings, TrainAnswer, Training } from "./protocol.ts";

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** A running worker. */
export class Worker {
  readonly hello: Hello;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, hello: Hello) {
    this.child = child;
    this.lines = lines;
    this.hello = hello;
  }

  /** Starts a process and waits for its first line; what it writes to stderr is shown. */
  static async start(command: string, args: readonly string[]): Promise<Worker> {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const failed = once(child, "error").then(([error]) => Promise.reject(error as Error));
    const reader: Interface = createInterface({ input: child.stdout! });
    const lines = reader[Symbol.asyncIterator]();
    const hello = await Promise.race([nextLine(lines), failed]);
    return new Worker(child, lines, hello as Hello);
  }

  /** Sends a command and waits for its answer. */
  async ask<Command extends { readonly command: string }>(command: Command): Promise<unknown> {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`);
    return nextLine(this.lines);
  }

  /** Loads model and adapter; the seconds that took. */
  async load(training: Training, settings: PeerSettings | OurSettings): Promise<number> {
    const started = performance.now();
    await this.ask({ command: "load", ...training, ...settings });
    return (performance.now() - started) / 1e3;
  }

  /** One optimiser step for every batch. */
  async train(batches: readonly Batch[]): Promise<TrainAnswer> {
    return (await this.ask({ command: "train", batches })) as TrainAnswer;
  }

  /** The most memory that was resident so far, in bytes; undefined where the system does not say (not Linux). */
  peakBytes(): number | undefined {
    return peakBytesOf(this.child.pid);
  }

  /** Processor time used so far, all threads, in seconds; 0 where the system does not say. */
  processorSeconds(): number {
    return processorSecondsOf(this.child.pid);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
}

/** A line that begins with this is an answer's failure, not an answer. */
interface Failure {
  readonly error: string;
}

async function nextLine(lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error("a worker of the benchmark ended early; its last words are above");
  const answer = JSON.parse(value) as Partial<Failure>;
  if (answer.error !== undefined) throw new Error(`a worker of the benchmark failed: ${answer.error}`);
  return answer;
}

/** Our side, in a process of its own that is started as this one was. */
export const startOurs = (): Promise<Worker> =>
  Worker.start(process.execPath, [...process.execArgv, pathOf("ours-train.ts")]);

/** PyTorch and PEFT, run by the given Python. */
export const startPeer = (python: string): Promise<Worker> =>
  Worker.start(python, [pathOf("peer/peer-train.py")]);
