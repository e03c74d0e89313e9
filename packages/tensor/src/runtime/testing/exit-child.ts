// A process for the exit test: ends, in the way its argument names, with live sessions, values and a run under way.
import { createSession } from "../session.ts";
import { Value } from "../value.ts";
import { onnxModel } from "./onnx-fixture.ts";

const STEPS = 500;
const model = onnxModel({
  inputs: [{ name: "x", shape: ["N"] }],
  outputs: [{ name: "y", shape: ["N"] }],
  nodes: Array.from({ length: STEPS }, (_, step) => ({
    op: "Tanh",
    inputs: [step === 0 ? "x" : `x${step}`],
    outputs: [step === STEPS - 1 ? "y" : `x${step + 1}`],
  })),
});

const session = await createSession(model, { device: "cpu", threads: 2, spinning: true });
const run = (length: number) =>
  session.run({
    inputs: new Map([["x", Value.allocate("float32", [length])]]),
    outputs: new Map([["y", null]]),
  });

await run(1000);
process.stdout.write("ready");
if (process.argv[2] === "while-running") {
  void run(1 << 24);
  setImmediate(() => process.exit(0));
}
