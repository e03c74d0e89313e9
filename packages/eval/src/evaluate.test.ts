import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.ts";
import { toyModel } from "./fixtures/toy-model.ts";
import type { GenerateRequest, LanguageModel } from "./language-model.ts";
import { accuracyByGroup, judgePrefix, sampleAccuracy } from "./prefix-match.ts";
import type { SampleRecord } from "./results.ts";
import type { SampleStore } from "./sample-store.ts";
import type { Task } from "./task.ts";

/** Twelve documents in three groups; the gold answer of document i is `i`. */
function countingTask(changes: Partial<Task> = {}): Task {
  const documents = Array.from({ length: 12 }, (_, index) => ({
    id: `doc/${index}`,
    group: "abc"[index % 3]!,
  }));
  const gold = ({ id }: { id: string }) => id.slice(4);
  return {
    name: "counting",
    version: 1,
    metric: "accuracy",
    estimator: "mean over documents",
    paper: "none",
    reference: "none",
    shots: 2,
    maxInputTokens: 100,
    maxNewTokens: 4,
    sampling: { temperature: 0 },
    samplesPerDocument: 1,
    documents,
    datasetHash: "data",
    prompt: ({ id, group }, shots) => `${["shot one", "shot two"].slice(0, shots).join(" ")} ${group} ${id}`,
    gold,
    judge: (document, prediction) => judgePrefix(prediction, gold(document)),
    aggregate: (samples) => ({
      ...sampleAccuracy(samples),
      groups: accuracyByGroup(samples, "group"),
      otherMetrics: {},
    }),
    ...changes,
  };
}

/** Right for every document with an even number. */
const evenOnly = ({ prompt }: GenerateRequest) => {
  const number = Number(prompt.slice(prompt.lastIndexOf("/") + 1));
  return number % 2 === 0 ? ` ${number}\n` : "no idea";
};

function memoryStore(): SampleStore & { records: Map<string, SampleRecord> } {
  const records = new Map<string, SampleRecord>();
  return {
    records,
    get: (key) => records.get(key),
    put: (key, record) => {
      records.set(key, record);
    },
  };
}

describe("evaluate()", () => {
  it("scores every document and says what the score rests on", async () => {
    const result = await evaluate(toyModel(evenOnly), [countingTask()]);
    const [task] = result.tasks;
    expect(task).toMatchObject({
      task: "counting",
      score: 0.5,
      n: 12,
      shots: 2,
      taskVersion: 1,
      datasetHash: "data",
    });
    expect(task!.standardError).toBeCloseTo(Math.sqrt(0.25 / 11), 12);
    expect(task!.promptHash).toMatch(/^[0-9a-f]{64}$/);
    expect(task!.samples[3]).toEqual({
      documentId: "doc/3",
      group: "a",
      sampleIndex: 0,
      promptHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      shots: 2,
      isOverlong: false,
      prediction: "no idea",
      answer: "no idea",
      gold: "3",
      isCorrect: false,
    });
  });

  it("gives the same result whatever the batches", async () => {
    const whole = await evaluate(toyModel(evenOnly), [countingTask()]);
    expect(await evaluate(toyModel(evenOnly), [countingTask()], { batchSize: 1 })).toEqual(whole);
    expect(await evaluate(toyModel(evenOnly), [countingTask()], { batchSize: 5 })).toEqual(whole);
  });

  it("asks in large batches with the prompts of one group side by side", async () => {
    const model = toyModel(evenOnly);
    await evaluate(model, [countingTask()], { batchSize: 8 });
    expect(model.batches.map((batch) => batch.length)).toEqual([8, 4]);
    expect(
      model.batches
        .flat()
        .map(({ prompt }) => prompt.split(" ").at(-2))
        .join(""),
    ).toBe("aaaabbbbcccc");
  });

  it("drops exemplars that do not fit and passes on what is too long even so", async () => {
    // "shot one a doc/0" is 4 words and the beginning-of-sequence token.
    const shortened = await evaluate(toyModel(evenOnly), [countingTask({ maxInputTokens: 5 })]);
    expect(shortened.tasks[0]).toMatchObject({ shortenedPrompts: 12, overlongPrompts: 0 });
    expect(shortened.tasks[0]!.samples[0]).toMatchObject({ shots: 1, isOverlong: false });
    const model = toyModel(evenOnly);
    const overlong = await evaluate(model, [countingTask({ maxInputTokens: 1 })]);
    expect(overlong.tasks[0]).toMatchObject({ shortenedPrompts: 12, overlongPrompts: 12 });
    expect(model.batches[0]![0]!.prompt).toBe(" a doc/0");
  });

  it("ends a resumed evaluation as an uninterrupted one", async () => {
    const uninterrupted = await evaluate(toyModel(evenOnly), [countingTask()]);
    const store = memoryStore();
    const dying: ReturnType<typeof toyModel> = toyModel((request) => {
      if (dying.batches.length > 2) throw new Error("killed");
      return evenOnly(request);
    });
    const killed = evaluate(dying, [countingTask()], { batchSize: 3, store });
    await expect(killed).rejects.toThrowError("killed");
    expect(store.records.size).toBe(6);
    const second = toyModel(evenOnly);
    expect(await evaluate(second, [countingTask()], { store })).toEqual(uninterrupted);
    expect(second.batches.flat()).toHaveLength(6);
  });

  it("finds no stored sample of another model, data set, version or prompt", async () => {
    const store = memoryStore();
    await evaluate(toyModel(evenOnly), [countingTask()], { store });
    const asked = async (model: LanguageModel, task: Task) => {
      const asking = toyModel(evenOnly);
      await evaluate({ ...asking, name: model.name }, [task], { store });
      return asking.batches.flat().length;
    };
    const model = toyModel(evenOnly);
    expect(await asked(model, countingTask())).toBe(0);
    expect(await asked({ ...model, name: "other" }, countingTask())).toBe(12);
    expect(await asked(model, countingTask({ datasetHash: "other" }))).toBe(12);
    expect(await asked(model, countingTask({ version: 2 }))).toBe(12);
    expect(await asked(model, countingTask({ maxInputTokens: 5 }))).toBe(12);
    expect(await asked(model, countingTask({ maxNewTokens: 5 }))).toBe(12);
  });

  it("stops when aborted and keeps what was judged", async () => {
    const store = memoryStore();
    const controller = new AbortController();
    const running = evaluate(toyModel(evenOnly), [countingTask()], {
      batchSize: 4,
      store,
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done === 4) controller.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toThrowError("enough");
    expect(store.records.size).toBe(4);
  });

  it("reports progress from nothing to everything", async () => {
    const seen: number[] = [];
    await evaluate(toyModel(evenOnly), [countingTask()], {
      batchSize: 5,
      onProgress: ({ done }) => seen.push(done),
    });
    expect(seen).toEqual([0, 5, 10, 12]);
  });

  it("limits documents evenly over the groups and says so", async () => {
    const { tasks } = await evaluate(toyModel(evenOnly), [countingTask()], { limit: 6 });
    expect(tasks[0]).toMatchObject({ n: 6, limit: 6, groups: [{ n: 2 }, { n: 2 }, { n: 2 }] });
  });

  it("draws several samples with seeds that do not depend on the limit", async () => {
    const sampled = countingTask({ sampling: { temperature: 0.6, topK: 50 }, samplesPerDocument: 3 });
    const seedsOf = async (limit: number) => {
      const model = toyModel(evenOnly);
      await evaluate(model, [sampled], { limit });
      return new Map(model.batches.flat().map(({ prompt, seed }) => [`${prompt} ${seed}`, seed]));
    };
    const few = await seedsOf(3);
    expect(few.size).toBe(9);
    const many = await seedsOf(12);
    expect([...few.keys()].every((key) => many.has(key))).toBe(true);
  });

  it("averages the tasks without weights", async () => {
    const right = countingTask({ judge: () => ({ isCorrect: true, answer: "" }) });
    const { average } = await evaluate(toyModel(evenOnly), [countingTask(), right]);
    expect(average).toMatchObject({ score: 0.75, n: 2 });
    expect(average.standardError).toBeCloseTo(Math.sqrt(0.25 / 11) / 2, 12);
  });

  it("refuses a model that loses an answer", async () => {
    const broken = { ...toyModel(evenOnly), generateUntil: async () => ["one"] };
    await expect(evaluate(broken, [countingTask()])).rejects.toMatchObject({ code: "EVAL_MODEL_BROKEN" });
  });

  it.each([{ limit: 0 }, { batchSize: 1.5 }])("refuses %o", async (options) => {
    await expect(evaluate(toyModel(evenOnly), [countingTask()], options)).rejects.toMatchObject({
      code: "EVAL_OPTION_INVALID",
    });
  });
});
