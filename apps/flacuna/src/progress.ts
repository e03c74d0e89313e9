// Progress of long work on standard error: a bar on a terminal, a plain line now and then elsewhere.
import cliProgress from "cli-progress";

/** Shows how far a piece of work is. */
export interface Progress {
  /** @param note something to show beside the count, such as the loss */
  update(done: number, note?: string): void;
  stop(): void;
}

/** What is counted, and how. */
export interface ProgressOptions {
  /** in the plural; none where `format` says it */
  readonly unit?: string;
  /** how much was done before this run; it does not count towards the rate */
  readonly start?: number;
  /** a count, or a count per second, as text; the plain number by default */
  readonly format?: (count: number) => string;
}

/** Seconds between two plain lines. */
const PLAIN_INTERVAL_SECONDS = 5;

/** Seconds as `1m05s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
}

/** Bytes as `1.2 GB`, in powers of a thousand. */
export function formatBytes(bytes: number): string {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const digits = power === 0 ? 0 : 1;
  return `${(bytes / 1000 ** power).toFixed(digits)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

/** Progress towards `total`, with rate and time left. */
export function createProgress(label: string, total: number, options: ProgressOptions): Progress {
  const meter = createMeter(total, options);
  return process.stderr.isTTY ? createBar(label, total, meter) : createLines(label, meter);
}

/** Says how far a piece of work is, in words. */
interface Meter {
  readonly start: number;
  /** `3/10 rows, 1.5/s, 5s left` */
  describe(done: number): string;
}

function createMeter(total: number, { unit, start = 0, format }: ProgressOptions): Meter {
  const began = performance.now();
  const count = format ?? String;
  const rateText = format ?? ((rate: number) => rate.toFixed(1));
  return {
    start,
    describe(done) {
      const seconds = (performance.now() - began) / 1000;
      const rate = (done - start) / Math.max(seconds, 1e-3);
      const left = rate > 0 ? `, ${formatDuration((total - done) / rate)} left` : "";
      return `${count(done)}/${count(total)}${unit === undefined ? "" : ` ${unit}`}, ${rateText(rate)}/s${left}`;
    },
  };
}

const noted = (note: string): string => (note === "" ? "" : `, ${note}`);

function createBar(label: string, total: number, { start, describe }: Meter): Progress {
  const bar = new cliProgress.SingleBar(
    { format: `${label} [{bar}] {text}`, hideCursor: true, stream: process.stderr },
    cliProgress.Presets.legacy,
  );
  bar.start(total, start, { text: describe(start) });
  return {
    update: (done, note = "") => bar.update(done, { text: describe(done) + noted(note) }),
    stop: () => bar.stop(),
  };
}

function createLines(label: string, { start, describe }: Meter): Progress {
  const began = performance.now();
  let shown = began;
  let last = start;
  const line = (done: number, note: string) =>
    process.stderr.write(`${label}: ${describe(done)}${noted(note)}\n`);
  return {
    update(done, note = "") {
      last = done;
      const now = performance.now();
      if (now - shown < PLAIN_INTERVAL_SECONDS * 1000) return;
      shown = now;
      line(done, note);
    },
    stop() {
      if (performance.now() - began > 2000) line(last, "done");
    },
  };
}
