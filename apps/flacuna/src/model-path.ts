// Where a model is that a command is given by name.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ModelError, planFetch } from "@flacuna/model";
import { AppError } from "./errors.ts";

/**
 * The path of a model: a folder or file as it is, or what `flacuna fetch` brought under that name. Asks nobody.
 *
 * @throws AppError `APP_MODEL_NOT_FETCHED`; ModelError as `planFetch`
 */
export async function modelPath(name: string): Promise<string> {
  if (existsSync(name)) return resolve(name);
  try {
    const { path } = await planFetch(name, { isOffline: true });
    return path;
  } catch (cause) {
    if (!(cause instanceof ModelError) || cause.code !== "MODEL_OFFLINE") throw cause;
    throw new AppError(
      "APP_MODEL_NOT_FETCHED",
      `${name} has not been fetched, or not all of it; do so with "flacuna fetch ${name}"`,
      { cause },
    );
  }
}
