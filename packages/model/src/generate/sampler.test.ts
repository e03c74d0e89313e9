import { describe, expect, it } from "vitest";
import { type SamplingOptions, type SamplingState, sampleToken } from "./sampler.ts";

const logits = Float32Array.from([1, 3, 2, 3, -4]);

/** Share of each token over an even grid of random numbers: the distribution that is drawn from. */
function distribution(
  options: SamplingOptions & Partial<SamplingState>,
  values = logits,
  points = 10_000,
): number[] {
  const counts = Array<number>(values.length).fill(0);
  for (let i = 0; i < points; i++)
    counts[sampleToken(values, { ...options, uniform: (i + 0.5) / points })]!++;
  return counts.map((count) => count / points);
}

function softmax(values: readonly number[]): number[] {
  const weights = values.map((value) => Math.exp(value));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 3);
}

describe("sampleToken()", () => {
  it("is greedy at temperature 0, the lowest id of equals", () => {
    expect(sampleToken(logits, { uniform: 0.99 })).toBe(1);
  });

  it("draws from the softmax of the logits over the temperature", () => {
    for (const temperature of [0.5, 1, 2]) {
      expectClose(distribution({ temperature }), softmax([...logits].map((value) => value / temperature)));
    }
  });

  it("keeps the k most likely tokens", () => {
    expectClose(distribution({ temperature: 1, topK: 3 }), softmax([-Infinity, 3, 2, 3, -Infinity]));
    expect(distribution({ temperature: 1, topK: 1 })).toEqual([0, 1, 0, 0, 0]);
  });

  it("keeps the fewest tokens that reach topP", () => {
    const values = Float32Array.from([0.5, 0.3, 0.15, 0.05], Math.log);
    expectClose(distribution({ temperature: 1, topP: 0.75 }, values), [0.625, 0.375, 0, 0]);
    expectClose(distribution({ temperature: 1, topP: 0.85 }, values), [
      0.5 / 0.95,
      0.3 / 0.95,
      0.15 / 0.95,
      0,
    ]);
    expect(distribution({ temperature: 1, topP: 1e-9 }, values)).toEqual([1, 0, 0, 0]);
  });

  it("measures topP within the topK", () => {
    const values = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log);
    expectClose(distribution({ temperature: 1, topK: 2, topP: 0.5 }, values), [1, 0, 0, 0]);
  });

  it("keeps tokens from a share of the likeliest one's probability on", () => {
    const values = Float32Array.from([0.5, 0.3, 0.15, 0.05], Math.log);
    expectClose(distribution({ temperature: 1, minP: 0.5 }, values), [0.625, 0.375, 0, 0]);
    expect(distribution({ temperature: 1, minP: 1 }, values)).toEqual([1, 0, 0, 0]);
  });

  it("draws by rising id", () => {
    const draw = (uniform: number) =>
      sampleToken(Float32Array.from([0, 5, 5, 5]), { temperature: 1, topK: 3, uniform });
    expect([0, 0.3, 0.4, 0.6, 0.7, 0.99].map(draw)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it("makes tokens seen before less likely", () => {
    const values = Float32Array.from([2, 1, -1, -1.5]);
    const seen = new Map([
      [0, 2],
      [2, 1],
    ]);
    const shares = (options: SamplingOptions) => distribution({ temperature: 1, seen, ...options }, values);
    expectClose(shares({ repetitionPenalty: 2 }), softmax([1, 1, -2, -1.5]));
    expectClose(shares({ frequencyPenalty: 0.5 }), softmax([1, 1, -1.5, -1.5]));
    expectClose(shares({ presencePenalty: 0.5 }), softmax([1.5, 1, -1.5, -1.5]));
  });

  it("adds biases", () => {
    const logitBias = new Map([[4, 10]]);
    expect(sampleToken(logits, { logitBias, uniform: 0 })).toBe(4);
  });

  it("leaves out what the mask does not allow", () => {
    const mask = Int32Array.from([0b10101]);
    expectClose(distribution({ temperature: 1, mask }), softmax([1, -Infinity, 2, -Infinity, -4]));
    expect(sampleToken(logits, { mask, uniform: 0 })).toBe(2);
  });

  it.each([[[Number.NaN, 1]], [[1, Number.NaN]], [[Infinity]], [[-Infinity]], [[]]])(
    "refuses logits %j",
    (values) => {
      expect(() => sampleToken(Float32Array.from(values), { uniform: 0 })).toThrow(
        expect.objectContaining({ code: "MODEL_LOGITS_NOT_FINITE" }),
      );
    },
  );

  it("never draws a token of probability zero", () => {
    const values = Float32Array.from([0, -Infinity]);
    expect(sampleToken(values, { temperature: 1, uniform: 1 - 2 ** -53 })).toBe(0);
  });

  it.each([
    [{ temperature: -1 }],
    [{ temperature: Number.NaN }],
    [{ topK: 0 }],
    [{ topP: 0 }],
    [{ topP: 1.5 }],
    [{ minP: -0.1 }],
    [{ repetitionPenalty: 0 }],
    [{ frequencyPenalty: Number.NaN }],
    [{ presencePenalty: Infinity }],
    [{ logitBias: new Map([[-1, 1]]) }],
    [{ logitBias: new Map([[1, Number.NaN]]) }],
  ])("refuses %j", (options) => {
    expect(() => sampleToken(logits, { ...options, uniform: 0 })).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID_ARGUMENT" }),
    );
  });
});

describe("large vocabularies", () => {
  it("give the same draws as sorting the whole of them", () => {
    const values = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i * i) * 8);
    const sorted = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
    const naive = (topK: number, topP: number, uniform: number) => {
      const kept = sorted.slice(0, topK);
      const probabilities = softmax(kept.map((id) => values[id]!));
      let count = 0;
      for (let sum = 0; sum < topP && count < kept.length; count++) sum += probabilities[count]!;
      const nucleus = new Map(kept.slice(0, count).map((id, i) => [id, probabilities[i]!]));
      let rest = uniform * probabilities.slice(0, count).reduce((a, b) => a + b, 0);
      return [...nucleus.keys()]
        .sort((a, b) => a - b)
        .find((id) => {
          rest -= nucleus.get(id)!;
          return rest < 0;
        });
    };
    for (const [topK, topP] of [
      [40, 1],
      [5000, 0.9],
      [100, 0.5],
      [700, 0.99],
    ] as const) {
      const weights = new Set<number>();
      for (let i = 0; i < 50; i++) {
        const uniform = (i + 0.5) / 50;
        const id = sampleToken(values, { temperature: 1, topK, topP, uniform });
        expect(id).toBe(naive(topK, topP, uniform));
        weights.add(id);
      }
      expect(weights.size).toBeGreaterThan(5);
    }
  });
});
