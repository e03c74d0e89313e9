import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { weightsFrom } from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { field } from "./fixtures/gguf-bytes.ts";
import { llamaGguf } from "./fixtures/llama-gguf.ts";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { TOY_TOKENIZER, toyTokenizer } from "./fixtures/toy-tokenizer.ts";
import { createLanguageModel, loadLanguageModel } from "./language-model.ts";
import { TOKEN_KIND } from "./tokenizer/token-kinds.ts";
import { readCheckpoint } from "./weights/checkpoint.ts";

const { vocab } = TOY_TOKENIZER.tokenizer.model as { readonly vocab: Readonly<Record<string, number>> };
const TOKENIZER = [
  field.string("tokenizer.ggml.model", "llama"),
  field.strings("tokenizer.ggml.tokens", Object.keys(vocab)),
  field.float32s(
    "tokenizer.ggml.scores",
    Object.values(vocab).map((id) => -id),
  ),
  field.int32s(
    "tokenizer.ggml.token_type",
    Object.values(vocab).map(
      (id) => [TOKEN_KIND.unknown, TOKEN_KIND.control, TOKEN_KIND.control][id] ?? TOKEN_KIND.normal,
    ),
  ),
  field.bool("tokenizer.ggml.add_space_prefix", false),
  field.string("tokenizer.chat_template", "{{ messages[0]['content'] }}"),
];

describe("a GGUF file in place of a folder", () => {
  const weights = toyWeights(TOY);
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "load-gguf-"));
    path = join(folder, "toy.gguf");
    await writeFile(path, llamaGguf(TOY, weights, TOKENIZER));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("is a language model that computes what its weights do in memory", async () => {
    const inMemory = createLanguageModel(
      { config: TOY, weights: weightsFrom(weights), tokenizer: toyTokenizer() },
      { threads: 1 },
    );
    const texts: string[] = [];
    for (const model of [
      inMemory,
      await loadLanguageModel(path, { threads: 1 }),
      await loadLanguageModel(folder, { threads: 1 }),
    ]) {
      const prompt = model.tokenizer.encode("hello");
      expect(prompt).toEqual([1, 11, 8, 15, 15, 18]);
      const [ids] = await model.generateBatch([prompt], { maxNewTokens: 10, eosTokenIds: [] });
      texts.push(model.tokenizer.decode(ids!));
      await model.dispose();
    }
    expect(texts[0]).not.toBe("");
    expect(texts).toEqual([texts[0], texts[0], texts[0]]);
  });

  it("ends an answer at the end of a turn that it names", async () => {
    const generate = async (file: string, maxNewTokens = 8) => {
      const model = await loadLanguageModel(file, { threads: 1 });
      const [ids] = await model.generateBatch([[1, 11, 8]], { maxNewTokens });
      await model.dispose();
      return ids!;
    };
    const ids = await generate(path);
    const end = ids[3]!;
    const kinds = field.int32s(
      "tokenizer.ggml.token_type",
      Object.values(vocab).map((id) => (id === end ? TOKEN_KIND.control : TOKEN_KIND.normal)),
    );
    const others = TOKENIZER.filter(({ key }) => key !== kinds.key);
    const ending = join(folder, "ending");
    await writeFile(
      ending,
      llamaGguf(TOY, weights, [...others, kinds, field.uint32("tokenizer.ggml.eot_token_id", end)]),
    );
    expect(await generate(ending)).toEqual(ids.slice(0, ids.indexOf(end)));
    await rm(ending);
  });

  it("is found by any name, and alone in a folder", async () => {
    const other = join(folder, "sha256-0123");
    await rename(path, other);
    await expect(readCheckpoint(folder)).rejects.toMatchObject({ code: "MODEL_FILE_UNREADABLE" });
    expect((await readCheckpoint(other)).config).toEqual(TOY);
    await rename(other, path);
    expect((await readCheckpoint(folder)).config).toEqual(TOY);
  });

  it("is not chosen among several", async () => {
    const second = join(folder, "second.gguf");
    await writeFile(second, "");
    await expect(readCheckpoint(folder)).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
      message: expect.stringContaining("second.gguf, toy.gguf"),
    });
    await rm(second);
  });

  it("is no other file", async () => {
    const other = join(folder, "weights.pth");
    await writeFile(other, "PK");
    await expect(loadLanguageModel(other)).rejects.toMatchObject({ code: "MODEL_GGUF_INVALID" });
    await rm(other);
  });
});
