// Folders of the app: what ships with it, and where runs are written.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The app's own folder, from the sources as from the build. */
export const APP_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));

/** The nano base that ships with the app, made by `flacuna pretrain`. */
export const NANO_BASE_FOLDER = join(APP_FOLDER, "assets", "vicuna-nano");

/** Where a preset's runs are written, unless another folder is given. */
export const defaultRunFolder = (preset: string): string => join(APP_FOLDER, "runs", preset);
