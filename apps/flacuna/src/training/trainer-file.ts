// The whole state of a trainer in one safetensors file, written beside and renamed: what a killed run goes on from.
import { existsSync } from "node:fs";
import { readSafetensors, writeSafetensors } from "@flacuna/model";
import { flatten, isTensor, mapTree, type Tensor, type Trainer } from "@flacuna/tensor";

/** Writes the trainer's state, and notes of the caller's own such as the place in the data. */
export async function saveTrainer(path: string, trainer: Trainer, notes: unknown): Promise<void> {
  const { step, parameters, optimizer } = await trainer.state();
  const tensors = flatten({ parameters, optimizer }, isTensor).map(({ path: name, leaf }) => ({
    name,
    dtype: leaf.dtype,
    shape: leaf.shape,
    read: () => leaf,
  }));
  await writeSafetensors(path, tensors, { metadata: { step: String(step), notes: JSON.stringify(notes) } });
}

/**
 * Takes a trainer up where `saveTrainer` left it.
 *
 * @returns the notes, or `undefined` when there is no such file
 */
export async function restoreTrainer(path: string, trainer: Trainer): Promise<unknown> {
  if (!existsSync(path)) return undefined;
  const file = await readSafetensors(path);
  const tensors = new Map<string, Tensor>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  const { parameters, optimizer } = await trainer.state();
  const saved = mapTree({ parameters, optimizer }, isTensor, (leaf, name) => tensors.get(name) ?? leaf) as {
    parameters: unknown;
    optimizer: unknown;
  };
  trainer.restore({ step: Number(file.metadata.step), ...saved });
  return JSON.parse(file.metadata.notes ?? "null");
}
