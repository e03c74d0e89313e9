// Conversations that no training text contains; the loss on them shows whether a model still chats.
import { drawConversation } from "./families/conversation.ts";
import type { FlanMiniRow } from "./flan-mini.ts";
import { RandomStream } from "./random.ts";
import type { World } from "./world.ts";

/** Shorter small talk could occur in a training text by chance. */
const MIN_EXCHANGES = 3;

/** `count` conversations of the held-out split, as rows of the released schema. */
export function heldOutChats(world: World, count = 100): FlanMiniRow[] {
  const rows: FlanMiniRow[] = [];
  for (let index = 0; rows.length < count; index++) {
    const random = new RandomStream(`nano/${world.seed}/held-out/${index}`);
    const exchanges = drawConversation(world, random, "test");
    if (exchanges.length < MIN_EXCHANGES) continue;
    const conversations = exchanges.flatMap(({ user, assistant }) => [
      { from: "human" as const, value: user },
      { from: "gpt" as const, value: assistant },
    ]);
    rows.push({ id: `held_out_${index}`, source: "sharegpt", conversations });
  }
  return rows;
}
