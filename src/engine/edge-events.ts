import { isObject } from "../lib/json.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { ClaimedRun } from "../storage/run-queue.ts";
import type { RunEnd } from "./finish-run.ts";

/*
 * The first and the last events of a run's stream: those that the server knows
 * itself. What is for readers of the streaming protocol alone begins with `v2.`.
 */

export function openingEvents(run: ClaimedRun): ProducedEvent[] {
  const { run_id, attempt } = run;
  const events: ProducedEvent[] = [
    ["metadata", JSON.stringify({ run_id, attempt })],
  ];
  const interrupt_ids = answeredBy(run);
  if (interrupt_ids.length > 0)
    events.push([
      "v2.input.answered",
      JSON.stringify({ data: { interrupt_ids } }),
    ]);
  return events;
}

/** LangGraph's ids of interrupts: a resume whose keys are all like this answers them, any other is an answer itself. */
const INTERRUPT_ID = /^[\da-f]{32}$/;

function answeredBy({ kwargs }: ClaimedRun): string[] {
  const told = kwargs.protocol?.answers ?? [];
  if (told.length > 0) return told;
  const resume = kwargs.command?.["resume"];
  const ids = isObject(resume) ? Object.keys(resume) : [];
  return ids.every((id) => INTERRUPT_ID.test(id)) ? ids : [];
}

export function closingEvents(run: ClaimedRun, end: RunEnd): ProducedEvent[] {
  const { run_id, graph_id } = run;
  const { error, status } = end;
  const data = {
    event: lifecycleOf(end),
    graph_name: graph_id,
    ...(error === null ? {} : { error: error.message }),
    ...end.refusal,
  };
  const events: (readonly [string, unknown])[] = [
    ...(error === null ? [] : [["error", error] as const]),
    ["v2.lifecycle", { data }],
    ["end", { run_id, status }],
  ];
  const now = Date.now(); // the same for those who see it live and those who read it later
  return events.map(([event, of]) => [event, JSON.stringify(of), now]);
}

function lifecycleOf({ error, status, snapshot }: RunEnd): string {
  if (error !== null) return "failed";
  if (status !== "success") return "interrupted";
  return snapshot !== null && snapshot.next.length > 0
    ? "interrupted"
    : "completed";
}
