import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { JsonObject } from "../lib/json.ts";
import type { RunExecution } from "../protocol/run-frames.ts";
import { toCommand } from "./command.ts";

/** What the graph is called with. */
export interface RunCall {
  input: unknown;
  options: RunOptions;
}

/** The options of LangGraph's `stream` that do not depend on who listens. */
export interface RunOptions {
  configurable: Record<string, unknown>;
  metadata: JsonObject;
  tags: string[];
  runId: string;
  durability: "sync" | "async" | "exit";
  signal: AbortSignal;
  context?: Record<string, unknown>;
  callbacks?: BaseCallbackHandler[];
  recursionLimit?: number;
  maxConcurrency?: number;
  runName?: string;
  interruptBefore?: "*" | string[];
  interruptAfter?: "*" | string[];
}

/** A key that is absent here keeps what the graph was bound with; undefined would overwrite it. */
export function runCall(run: RunExecution, signal: AbortSignal): RunCall {
  const { kwargs } = run;
  const { config } = kwargs;
  return {
    input: runInput(run),
    options: {
      configurable: runConfigurable(run),
      metadata: runMetadata(run),
      tags: Array.isArray(config["tags"]) ? config["tags"].map(String) : [],
      runId: run.run_id,
      durability: kwargs.durability,
      signal,
      ...given("context", kwargs.context as Record<string, unknown> | null),
      ...given("recursionLimit", numberOf(config["recursion_limit"])),
      ...given("maxConcurrency", numberOf(config["max_concurrency"])),
      ...given("runName", textOf(config["run_name"])),
      ...given("interruptBefore", kwargs.interrupt_before),
      ...given("interruptAfter", kwargs.interrupt_after),
    },
  };
}

/** An attempt that resumes goes on from the newest checkpoint: submitting the input again would repeat finished steps. */
function runInput({ kwargs, resume }: RunExecution): unknown {
  if (resume) return null;
  return kwargs.command === null ? kwargs.input : toCommand(kwargs.command);
}

const CHECKPOINT_KEYS = ["checkpoint_id", "checkpoint_ns", "checkpoint_map"];

export function runConfigurable(run: RunExecution): Record<string, unknown> {
  const asked = (run.kwargs.config["configurable"] ?? {}) as JsonObject;
  const kept = Object.entries(asked).filter(
    ([key, value]) =>
      // Keys with two underscores steer LangGraph itself; a request must not.
      !key.startsWith("__") &&
      !(CHECKPOINT_KEYS.includes(key) && (run.resume || value === null)),
  );
  return {
    ...Object.fromEntries(kept),
    ...identity(run),
    ...(run.kwargs.strict_resume ? { __pregel_strict_resume: true } : {}),
  };
}

function runMetadata(run: RunExecution): JsonObject {
  return {
    ...((run.kwargs.config["metadata"] ?? {}) as JsonObject),
    ...run.metadata,
    langgraph_version: langgraphVersion,
    langgraph_plan: "developer",
    langgraph_host: "self-hosted",
    ...given("langgraph_api_url", process.env["LANGGRAPH_API_URL"]),
    run_attempt: run.attempt,
    ...identity(run),
  };
}

const identity = ({
  run_id,
  thread_id,
  graph_id,
  assistant_id,
}: RunExecution) =>
  ({ run_id, thread_id, graph_id, assistant_id }) satisfies JsonObject;

const langgraphVersion = versionOf("@langchain/langgraph");

/** By `import.meta.resolve`, which finds the copy of the user's project as our imports do. */
function versionOf(name: string): string {
  const file = fileURLToPath(import.meta.resolve(`${name}/package.json`));
  return JSON.parse(readFileSync(file, "utf8")).version as string;
}

const numberOf = (value: unknown): number | null =>
  typeof value === "number" ? value : null;

const textOf = (value: unknown): string | null =>
  typeof value === "string" ? value : null;

type Given<Key extends string, Value> = { [K in Key]?: NonNullable<Value> };

function given<Key extends string, Value>(
  key: Key,
  value: Value,
): Given<Key, Value> {
  return (
    value === null || value === undefined ? {} : { [key]: value }
  ) as Given<Key, Value>;
}
