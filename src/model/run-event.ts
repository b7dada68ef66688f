/** One frame of a run's stream. */
export interface RunEvent {
  /** Grows per thread, over all runs and attempts. Decimal text of it is the SSE id. */
  seq: number;
  run_id: string;
  attempt: number;
  /** `values`, `updates|agent:1ef…`, `metadata`, `error`, `end` … without CR or LF. */
  event: string;
  /** JSON on one line, ready for the wire. */
  data: string;
  /** When it was produced, in milliseconds since 1970. */
  at: number;
}

/** An event before the server gives it its seq: name, JSON on one line, and when it was produced, unless that is now. */
export type ProducedEvent = readonly [event: string, data: string, at?: number];

/**
 * Events that only readers of the streaming protocol see: `v2.messages|agent:1ef…`.
 * What both kinds of readers see is in the log once, in the form of the run streams.
 */
export const PROTOCOL_PREFIX = "v2.";

export const isForProtocolOnly = (event: string): boolean =>
  event.startsWith(PROTOCOL_PREFIX);

/** Mode of an event: `values|ns` -> `values`, `messages/partial` -> `messages`; what is called `messages` on the wire is `messages-tuple`. */
export function modeOf(event: string): string {
  const [name = event] = event.split("|", 1);
  if (name === "messages") return "messages-tuple";
  return name.split("/", 1)[0] ?? name;
}

/** `values|booking:1ef…` -> `booking:1ef…`; empty for the root graph. */
export function namespaceOf(event: string): string {
  const bar = event.indexOf("|");
  return bar === -1 ? "" : event.slice(bar + 1);
}

/** What a reader wants of a stream; null: everything. */
export interface EventFilter {
  modes: readonly string[] | null;
  namespaces: readonly string[] | null;
}

const ALWAYS_SENT = new Set(["metadata", "feedback", "error", "end"]);

export function isWanted(event: string, filter: EventFilter): boolean {
  const mode = modeOf(event);
  if (ALWAYS_SENT.has(mode)) return true;
  const { modes, namespaces } = filter;
  return (
    (modes === null || modes.includes(mode)) &&
    (namespaces === null || namespaces.includes(namespaceOf(event)))
  );
}
