// Numbers as a reader sees them: fixed decimals, true minus signs, units. No layout.

/** What stands for a number that was not measured. */
export const ABSENT = "–";

/** A percentage with one decimal: `43.6`. */
export function formatScore(score: number): string {
  return score.toFixed(1);
}

/** A score with its standard error: `43.6 ± 1.2`. */
export function formatScoreWithError(value: { score: number; stderr: number } | undefined): string {
  return value === undefined ? ABSENT : `${formatScore(value.score)} ± ${formatScore(value.stderr)}`;
}

/** A signed number of points with one decimal: `+1.5`, `−0.3`, `0.0`. */
export function formatPoints(points: number): string {
  const text = Math.abs(points).toFixed(1);
  if (Number(text) === 0) return text;
  return `${points < 0 ? "−" : "+"}${text}`;
}

/** A signed difference with its standard error. */
export function formatDifference(value: { points: number; stderr: number } | undefined): string {
  return value === undefined ? ABSENT : `${formatPoints(value.points)} ± ${formatScore(value.stderr)}`;
}

/** An integer with thousands separated by commas. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** How many items were scored; both counts where they differ, which they should not. */
export function formatItemCount(...scores: readonly ({ readonly n: number } | undefined)[]): string {
  const counts = [...new Set(scores.flatMap((score) => score?.n ?? []))];
  return counts.length === 0 ? ABSENT : counts.map(formatCount).join(" / ");
}

/** Four significant digits, or an exponent where that is shorter: `1.234`, `2.5e-5`. */
export function formatQuantity(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const isPlain = Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5;
  return isPlain ? String(Number(value.toPrecision(4))) : value.toExponential(2).replace(/\.?0+e/, "e");
}

/** A duration in its two largest units: `1 h 02 min`, `3 min 20 s`, `4.2 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}
