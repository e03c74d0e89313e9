// A worker process's side of the conversation: its first line, then an answer to every command, one JSON object a line.
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Hello } from "./protocol.ts";

/** Obeys the commands on standard input until it ends; what `obey` throws is an answer, too. */
export async function answerCommands<Command>(
  hello: Hello,
  obey: (command: Command) => Promise<unknown>,
): Promise<void> {
  await answer(hello);
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      await answer(await obey(JSON.parse(line) as Command));
    } catch (error) {
      await answer({ error: (error as Error).message });
    }
  }
}

async function answer(value: unknown): Promise<void> {
  if (!process.stdout.write(`${JSON.stringify(value)}\n`)) await once(process.stdout, "drain");
}
