// Progress of long work on standard error: a bar on a terminal, a plain line now and then elsewhere.
import cliProgress from "cli-progress";

/** Shows how far a piece of work is. */
export interface Progress {
  /** @param note something to show beside the count, such as the loss */
  update(done: number, note?: string): void;
  stop(): void;
}

/** Seconds between two plain lines. */
const PLAIN_INTERVAL_SECONDS = 5;

/** Seconds as `1m05s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
}

/**
 * Progress towards `total`, with rate and time left.
 *
 * @param unit what is counted, in the plural
 * @param start how much was done before this run; it does not count towards the rate
 */
export function createProgress(
  label: string,
  total: number,
  options: { unit: string; start?: number },
): Progress {
  return process.stderr.isTTY ? createBar(label, total, options) : createLines(label, total, options);
}

function createBar(
  label: string,
  total: number,
  { unit, start = 0 }: { unit: string; start?: number },
): Progress {
  const format = `${label} [{bar}] {value}/{total} ${unit}, {eta_formatted} left {note}`;
  const bar = new cliProgress.SingleBar(
    { format, hideCursor: true, stream: process.stderr },
    cliProgress.Presets.legacy,
  );
  bar.start(total, start, { note: "" });
  return { update: (done, note = "") => bar.update(done, { note }), stop: () => bar.stop() };
}

function createLines(
  label: string,
  total: number,
  { unit, start = 0 }: { unit: string; start?: number },
): Progress {
  const began = performance.now();
  let shown = began;
  let last = start;
  const line = (done: number, note: string) => {
    const seconds = (performance.now() - began) / 1000;
    const rate = (done - start) / Math.max(seconds, 1e-3);
    const left = rate > 0 ? `, ${formatDuration((total - done) / rate)} left` : "";
    process.stderr.write(
      `${label}: ${done}/${total} ${unit}, ${rate.toFixed(1)}/s${left}${note === "" ? "" : `, ${note}`}\n`,
    );
  };
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
