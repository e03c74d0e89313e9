import { readFileSync } from "node:fs";
import { Tensor } from "/work/main/packages/tensor/src/tensor.ts";
import { createSession, declareInitializer } from "/work/main/packages/tensor/src/runtime/session.ts";
import { onnxModel } from "/work/main/packages/tensor/src/runtime/testing/onnx-fixture.ts";
import { Value } from "/work/main/packages/tensor/src/runtime/value.ts";
const rss = () => Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024 | 0;
function chain(layers: number, C: number) {
  const nodes = [], initializers = []; let x = "x"; const w = new Map<string, Value>();
  for (let l = 0; l < layers; l++) { for (const k of ["a", "b"]) { const name = `w${l}${k}`; initializers.push(declareInitializer(name, { dtype: "float32", shape: [C, C] }));
    w.set(name, Value.fromTensor(new Tensor("float32", [C, C], new Float32Array(C * C).map((_, i) => ((i * 31) % 17 - 8) / 8 / Math.sqrt(C)))));
    nodes.push({ op: "MatMul", inputs: [x, name], outputs: [`m${l}${k}`] }); nodes.push({ op: "Tanh", inputs: [`m${l}${k}`], outputs: [`t${l}${k}`] }); x = `t${l}${k}`; } }
  nodes.push({ op: "Add", inputs: [x, "x"], outputs: ["y"] });
  return { model: onnxModel({ inputs: [{ name: "x", shape: ["N", C] }], outputs: [{ name: "y", shape: ["N", C] }], nodes, initializers }), w };
}
const median = (a: number[]) => a.sort((p, q) => p - q)[a.length >> 1]!;
const mode = process.argv[2];
if (mode === "spin") {
  const { model, w } = chain(15, 512);
  for (const rows of [1, 16]) for (const spinning of [false, true]) for (const threads of [1, 2]) {
    const s = await createSession(model, { device: "cpu", initializers: w, spinning, threads });
    const s2 = await createSession(model, { device: "cpu", initializers: w, spinning, threads });
    const x = Value.allocate("float32", [rows, 512]), y = Value.allocate("float32", [rows, 512]);
    const io = { inputs: new Map([["x", x]]), outputs: new Map([["y", y]]) };
    const time = async (f: () => Promise<unknown>, n = 60) => { for (let i = 0; i < 10; i++) await f(); const t = []; for (let i = 0; i < n; i++) { const a = performance.now(); await f(); t.push(performance.now() - a); } return median(t).toFixed(2); };
    const alone = await time(() => s.run(io));
    const alternating = await time(async () => { await s.run(io); await s2.run(io); });
    let js = 0; const busy = async () => { const r = s.run(io); const end = performance.now() + 1.5; while (performance.now() < end) js++; await r; };
    const withJs = await time(busy);
    const jsBetween = await time(async () => { await s.run(io); const a = performance.now(); let q = 0; for (let i = 0; i < 2e6; i++) q += i * i % 7; js += q; });
    console.log({ rows, spinning, threads, alone, alternating2: alternating, withJs, jsBetween });
    await s.dispose(); await s2.dispose();
  }
} else if (mode === "arena") {
  const { model, w } = chain(6, 768); const rows = 2048;
  const arena = process.argv[3] === "1", shrink = process.argv[3] === "s";
  const s = await createSession(model, { device: "cpu", initializers: w, arena: arena || shrink });
  const x = Value.allocate("float32", [rows, 768]), y = Value.allocate("float32", [rows, 768]);
  const base = rss(); const t = [];
  for (let i = 0; i < 8; i++) { const a = performance.now(); await s.run({ inputs: new Map([["x", x]]), outputs: new Map([["y", y]]) }); t.push(performance.now() - a); }
  console.log({ arena: process.argv[3], ms: median(t).toFixed(1), keptMB: rss() - base });
} else if (mode === "overhead") {
  for (const n of [1, 128]) {
    const names = Array.from({ length: n }, (_, i) => `x${i}`);
    const model = onnxModel({ inputs: names.map((name) => ({ name, shape: [1] })), outputs: names.map((name) => ({ name: "y" + name, shape: [1] })), nodes: names.map((name) => ({ op: "Neg", inputs: [name], outputs: ["y" + name] })) });
    const s = await createSession(model, { device: "cpu" });
    const inputs = new Map(names.map((name) => [name, Value.allocate("float32", [1])])); const outputs = new Map(names.map((name) => ["y" + name, Value.allocate("float32", [1])]));
    const t = []; for (let i = 0; i < 500; i++) { const a = performance.now(); await s.run({ inputs, outputs }); t.push(performance.now() - a); }
    console.log({ ports: n, msPerRun: median(t).toFixed(3) });
  }
}
