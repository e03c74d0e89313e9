// Conversations that no training text contains; the loss on them shows whether a model still chats.
import { drawConversation } from "./families/conversation.ts";
import type { FlanMiniRow } from "./flan-mini.ts";
import { RandomStream } from "./random.ts";
import type { World } from "./world.ts";

/** `count` conversations of the held-out split, as rows of the released schema. */
export function heldOutChats(world: World, count = 100): FlanMiniRow[] {
  return Array.from({ length: count }, (_, index) => {
    const random = new RandomStream(`nano/${world.seed}/held-out/${index}`);
    const conversations = drawConversation(world, random, "test").flatMap(({ user, assistant }) => [
      { from: "human" as const, value: user },
      { from: "gpt" as const, value: assistant },
    ]);
    return { id: `held_out_${index}`, source: "sharegpt", conversations };
  });
}
