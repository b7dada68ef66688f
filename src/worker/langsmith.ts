import type { LangChainTracer } from "@langchain/core/tracers/tracer_langchain";
import { isObject } from "../lib/json.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { RunExecution } from "../protocol/run-frames.ts";

/*
 * What a run may have of LangSmith, when the project has a key for it. Without
 * one nothing here leaves the machine. Tracing as such is LangChain's own: it
 * does it when LANGSMITH_TRACING says so.
 */

type Env = Record<string, string | undefined>;

interface Access {
  endpoint: string;
  key: string;
}

/** A service that does not answer must not hold a run up. */
const ANSWER_MS = 5000;

/** For how long somebody may still give feedback by a link. */
const LINK_HOURS = 24;

function accessOf(env: Env): Access | null {
  const key = env["LANGSMITH_API_KEY"] ?? env["LANGCHAIN_API_KEY"] ?? "";
  const endpoint =
    env["LANGSMITH_ENDPOINT"] ??
    env["LANGCHAIN_ENDPOINT"] ??
    "https://api.smith.langchain.com";
  return key === "" ? null : { endpoint: endpoint.replace(/\/$/, ""), key };
}

/** The tracer that `langsmith_tracer` of the request asks for; null when it does not, or there is no key. */
export async function runTracer(
  { kwargs }: RunExecution,
  env: Env,
): Promise<LangChainTracer | null> {
  const { configurable } = kwargs.config;
  if (!isObject(configurable) || accessOf(env) === null) return null;
  const { langsmith_project: project, langsmith_example_id: example } =
    configurable;
  if (typeof project !== "string" && typeof example !== "string") return null;
  // Half a megabyte that nearly no run needs.
  const { LangChainTracer } =
    await import("@langchain/core/tracers/tracer_langchain");
  return new LangChainTracer({
    ...(typeof project === "string" ? { projectName: project } : {}),
    ...(typeof example === "string" ? { exampleId: example } : {}),
  });
}

/** The frame with a link for each of the run's `feedback_keys`, by which a client can judge it without a key of its own. */
export async function feedbackEvents(
  { run_id, kwargs }: RunExecution,
  env: Env,
): Promise<ProducedEvent[]> {
  const access = accessOf(env);
  const keys = kwargs.feedback_keys ?? [];
  if (access === null || keys.length === 0) return [];
  const links = await Promise.all(
    keys.map(async (key) => [key, await feedbackLink(access, run_id, key)]),
  );
  return [["feedback", JSON.stringify(Object.fromEntries(links))]];
}

async function feedbackLink(
  { endpoint, key }: Access,
  run_id: string,
  feedback_key: string,
): Promise<string> {
  const answer = await fetch(`${endpoint}/feedback/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": key },
    body: JSON.stringify({
      run_id,
      feedback_key,
      expires_in: { days: 0, hours: LINK_HOURS, minutes: 0 },
    }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!answer.ok) throw new Error(`LangSmith answered ${answer.status}`);
  return ((await answer.json()) as { url: string }).url;
}
