// Whole shares of a total in given proportions.
import { assertCount } from "./assert-count.ts";
import { DataError } from "./errors.ts";

/**
 * How many of `total` fall to each name: proportional to its weight, rounded by largest remainder so that the shares
 * add up to the total; ties go to the name listed first.
 *
 * @throws DataError `DATA_OPTION_INVALID`
 */
export function apportion<Name extends string>(
  total: number,
  weights: Readonly<Record<Name, number>>,
): Record<Name, number> {
  assertCount(total, "apportion: total", 0);
  const entries = Object.entries<number>(weights) as [Name, number][];
  const sum = entries.reduce((partial, [, weight]) => partial + weight, 0);
  if (entries.some(([, weight]) => !(weight >= 0)) || !(sum > 0 && sum < Number.POSITIVE_INFINITY)) {
    throw new DataError("DATA_OPTION_INVALID", "apportion: weights must be zero or more and not all zero");
  }
  const quotas = entries.map(([name, weight]) => ({ name, quota: (total * weight) / sum }));
  const shares = Object.fromEntries(quotas.map(({ name, quota }) => [name, Math.floor(quota)])) as Record<
    Name,
    number
  >;
  const given = quotas.reduce((partial, { quota }) => partial + Math.floor(quota), 0);
  const byRemainder = quotas.toSorted((a, b) => (b.quota % 1) - (a.quota % 1));
  for (const { name } of byRemainder.slice(0, total - given)) shares[name]++;
  return shares;
}
