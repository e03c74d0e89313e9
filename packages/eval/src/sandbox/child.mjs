// The program of one sandbox process: load one Python interpreter, lock it down, run one program, report, end.
// It is JavaScript because Node 20 starts it as it stands; what starts and kills it is in `process.ts`.

import fs from "node:fs";
import net from "node:net";
import { pathToFileURL } from "node:url";

/** @type {NodeJS.Process & { reallyExit(code: number): never }} */
const host = /** @type {any} */ (process);
const [mode, pyodideFolder, memoryLimitBytes, outputLimitBytes] =
  /** @type {[string, string, string, string]} */ (host.argv.slice(2));
const SNAPSHOT_FD = 3;
const TAIL_CHARACTERS = 2000;
const WASM_PAGE_BYTES = 65536;

const limits = { memoryBytes: Number(memoryLimitBytes), outputBytes: Number(outputLimitBytes) };
const seen = { outputBytes: 0, fileBytes: 0, tail: "", memoryRefused: false };

/** Refuses to let the interpreter's memory grow past the limit; Python sees a MemoryError. */
function limitMemory() {
  const { prototype } = /** @type {any} */ (globalThis).WebAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function (/** @type {number} */ pages) {
    if (this.buffer.byteLength + pages * WASM_PAGE_BYTES > limits.memoryBytes) {
      seen.memoryRefused = true;
      throw new RangeError("memory limit");
    }
    return grow.call(this, pages);
  };
}

/** Counts the bytes of in-memory files, which live outside the interpreter's memory, against half as much again. */
function limitFiles(/** @type {any} */ memoryFiles) {
  for (const name of ["expandFileStorage", "resizeFileStorage"]) {
    const resize = memoryFiles[name];
    memoryFiles[name] = (/** @type {{ contents?: Uint8Array }} */ node, /** @type {number} */ sizeBytes) => {
      seen.fileBytes += Math.max(0, sizeBytes - (node.contents?.length ?? 0));
      if (seen.fileBytes > limits.memoryBytes / 2)
        finish({ status: "memory", stderrTail: "in-memory files too large" });
      return resize(node, sizeBytes);
    };
  }
}

/** The permission model does not cover the network before Node 25, so the door is also shut from inside. */
function refuseNetwork() {
  const refuse = () => {
    throw new Error("no network in the sandbox");
  };
  net.Socket.prototype.connect = refuse;
  net.Server.prototype.listen = refuse;
  for (const name of [
    "fetch",
    "WebSocket",
    "EventSource",
    "XMLHttpRequest",
    "BroadcastChannel",
    "MessageChannel",
  ]) {
    Reflect.deleteProperty(globalThis, name);
  }
}

/** Leaves the interpreter a `process` with the few harmless fields it reads. */
function hideProcess() {
  const { version, versions, platform } = host;
  const facade = {
    version,
    versions,
    platform,
    argv: ["python"],
    exitCode: 0,
    getuid: () => 1000,
    umask: () => 18,
  };
  Object.defineProperty(globalThis, "process", {
    value: Object.freeze(facade),
    writable: false,
    configurable: false,
  });
}

/** Cuts every way from Python to a JavaScript object that the bootstrap left behind. */
const LOCKDOWN = `
def lockdown():
    import gc, sys
    hook = "_pyodide._importhook"
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "JsFinder"]
    for item in gc.get_objects():
        if type(item).__module__ == hook:
            for name in list(getattr(item, "__dict__", {})):
                setattr(item, name, {} if name == "jsproxies" else None)
    proxy = sys.modules["pyodide.ffi"].JsProxy
    for name, module in list(sys.modules.items()):
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if isinstance(value, proxy):
                setattr(module, key, None)
        if name.split(".")[0] in ("js", "pyodide_js", "pyodide", "_pyodide", "_pyodide_core"):
            del sys.modules[name]
    gc.collect()
lockdown()
del lockdown
`;

function note(/** @type {Uint8Array} */ bytes) {
  seen.outputBytes += bytes.length;
  if (seen.outputBytes > limits.outputBytes) finish({ status: "output", stderrTail: seen.tail });
  return bytes.length;
}

function noteError(/** @type {Uint8Array} */ bytes) {
  seen.tail = (seen.tail + Buffer.from(bytes).toString("utf8")).slice(-TAIL_CHARACTERS);
  return note(bytes);
}

/** Reports the outcome and ends at once, also from inside running Python. */
function finish(/** @type {{ status: string, stderrTail: string }} */ outcome) {
  fs.writeSync(1, `${JSON.stringify(outcome)}\n`);
  host.reallyExit(0);
}

function readSnapshot() {
  const bytes = new Uint8Array(fs.fstatSync(SNAPSHOT_FD).size);
  for (let at = 0; at < bytes.length; ) at += fs.readSync(SNAPSHOT_FD, bytes, at, bytes.length - at, at);
  return bytes;
}

async function loadInterpreter(/** @type {Record<string, unknown>} */ options) {
  // @ts-expect-error Pyodide asks for this deprecated function, which the permission model takes away.
  host.binding = (/** @type {string} */ name) => (name === "constants" ? { fs: fs.constants } : {});
  const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`).href);
  host.argv[1] = "python"; // Python shows it to the program as os.environ["_"].
  return loadPyodide({
    indexURL: pyodideFolder,
    jsglobals: Object.create(null),
    checkAPIVersion: false,
    ...options,
  });
}

async function writeSnapshot() {
  const python = await loadInterpreter({ _makeSnapshot: true });
  const bytes = python.makeMemorySnapshot();
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at, bytes.length - at);
}

async function runProgram() {
  limitMemory();
  const python = await loadInterpreter(mode === "restore" ? { _loadSnapshot: readSnapshot() } : {});
  python.setStdin({ error: true });
  python.setStdout({ write: note });
  python.setStderr({ write: noteError });
  python.unregisterJsModule("js");
  python.unregisterJsModule("pyodide_js");
  python.runPython(LOCKDOWN);
  limitFiles(python.FS.filesystems.MEMFS);
  const execute = python.runPython("exec");
  const namespace = python.toPy({});
  seen.memoryRefused = false;
  fs.writeSync(1, "ready\n");

  const chunks = [];
  for await (const chunk of host.stdin) chunks.push(chunk);
  const program = Buffer.concat(chunks).toString("utf8");
  refuseNetwork();
  hideProcess();
  try {
    execute(program, namespace);
    finish({ status: "passed", stderrTail: seen.tail });
  } catch (error) {
    const tail = (seen.tail + String(error)).slice(-TAIL_CHARACTERS);
    finish({ status: seen.memoryRefused ? "memory" : "failed", stderrTail: tail });
  }
}

await (mode === "snapshot" ? writeSnapshot() : runProgram());
host.reallyExit(0);
