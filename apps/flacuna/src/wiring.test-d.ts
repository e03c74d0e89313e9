// The proof that the packages' interfaces meet without any of them importing another.
import type {
  ConversationTemplate as DataTemplate,
  Tokenizer as DataTokenizer,
  TokenBatch,
} from "@flacuna/data";
import type { LanguageModel as ScoredModel } from "@flacuna/eval";
import type { LabelledBatch } from "@flacuna/lora";
import type { Checkpoint, ConversationTemplate, Tokenizer } from "@flacuna/model";
import type { TextGenerator } from "@flacuna/serve";
import type { WeightSource } from "@flacuna/tensor";
import { expectTypeOf, test } from "vitest";
import type { toScoredModel, toTextGenerator } from "./wiring.ts";

test("the interfaces meet", () => {
  expectTypeOf<Tokenizer>().toExtend<DataTokenizer>();
  expectTypeOf<ConversationTemplate>().toExtend<DataTemplate>();
  expectTypeOf<TokenBatch>().toExtend<LabelledBatch>();
  expectTypeOf<Checkpoint["weights"]>().toExtend<WeightSource>();
  expectTypeOf<ReturnType<typeof toScoredModel>>().toExtend<ScoredModel>();
  expectTypeOf<ReturnType<typeof toTextGenerator>>().toExtend<TextGenerator>();
});
