import { loadLanguageModel } from "@flacuna/model";
import { buildApp } from "@flacuna/serve";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NANO_BASE_FOLDER } from "./paths.ts";
import { toScoredModel, toTextGenerator } from "./wiring.ts";

let model: Awaited<ReturnType<typeof loadLanguageModel>>;
beforeAll(async () => {
  model = await loadLanguageModel(NANO_BASE_FOLDER);
});
afterAll(() => model.dispose());

const chat = {
  model: "vicuna-nano",
  messages: [{ role: "user", content: "Good morning!" }],
  max_tokens: 12,
  temperature: 0,
};

describe("toTextGenerator()", () => {
  it("serves the nano base as an OpenAI chat", async () => {
    const app = await buildApp({ generator: toTextGenerator(new Map([["vicuna-nano", model]])) });
    const response = await app.inject({ method: "POST", url: "/v1/chat/completions", payload: chat });
    expect(response.statusCode).toBe(200);
    const { choices, usage } = response.json() as {
      choices: { message: { content: string }; finish_reason: string }[];
      usage: { completion_tokens: number };
    };
    expect(choices[0]!.message.content.length).toBeGreaterThan(0);
    expect(choices[0]!.message.content).not.toContain("</s>");
    expect(usage.completion_tokens).toBeLessThanOrEqual(12);
    await app.close();
  });

  it("leaves a stop string out of the text and stops at it", async () => {
    const app = await buildApp({ generator: toTextGenerator(new Map([["vicuna-nano", model]])) });
    const whole = await app.inject({ method: "POST", url: "/v1/chat/completions", payload: chat });
    const text = (whole.json() as { choices: { message: { content: string } }[] }).choices[0]!.message
      .content;
    const stop = text.slice(3, 6);
    const response = await app.inject({
      method: "POST",
      url: "/v1/chat/completions",
      payload: { ...chat, stop },
    });
    const stopped = (response.json() as { choices: { message: { content: string } }[] }).choices[0]!.message
      .content;
    expect(stopped).toBe(text.slice(0, text.indexOf(stop)));
    await app.close();
  });
});

describe("toScoredModel()", () => {
  it("counts the beginning of sequence and answers every request", async () => {
    const scored = toScoredModel("vicuna", model);
    expect(scored.countTokens("")).toBe(1);
    const prompts = ["What is 2 plus 3?\nAnswer:", "The capital of Fendal is"];
    const requests = prompts.map((prompt) => ({ prompt, maxNewTokens: 4, temperature: 0 }));
    const together = await scored.generateUntil(requests);
    const alone = await Promise.all(
      requests.map(async (request) => (await scored.generateUntil([request]))[0]),
    );
    expect(together).toEqual(alone);
  });

  it("scores a likely continuation above an unlikely one", async () => {
    const scored = toScoredModel("vicuna", model);
    const context = "What is 2 plus 3?\nAnswer:";
    const [likely, unlikely] = await scored.loglikelihood([
      { context, continuation: " 5" },
      { context, continuation: " qzx" },
    ]);
    expect(likely!.logProbNats).toBeGreaterThan(unlikely!.logProbNats);
  });
});
