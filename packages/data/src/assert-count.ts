// The check of a count given as an option.
import { DataError } from "./errors.ts";

/** @throws DataError `DATA_OPTION_INVALID` when the value is no integer of at least `minimum` */
export function assertCount(value: number, name: string, minimum = 1): void {
  if (Number.isInteger(value) && value >= minimum) return;
  throw new DataError(
    "DATA_OPTION_INVALID",
    `${name} must be an integer of at least ${minimum}, got ${value}`,
  );
}
