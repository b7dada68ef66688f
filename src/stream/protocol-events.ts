import { isObject } from "../lib/json.ts";
import type { EventPlace } from "../model/protocol-filter.ts";
import { PROTOCOL_PREFIX, type RunEvent } from "../model/run-event.ts";
import { mayHaveMessages, withProtocolMessages } from "./protocol-messages.ts";

/*
 * The events of the log as the streaming protocol has them. An event of the
 * log is one event of the protocol or none, and gives it its number; so both
 * have one order, and a client may come back with a number of either.
 *
 *   metadata            → lifecycle `running` of the root
 *   v2.<method>|ns      → that event, as it is
 *   values, updates, custom, tasks, tools → the same, in the protocol's shape
 *   the rest            → nothing: the protocol has it in another form
 */

export interface ProtocolEvent extends EventPlace {
  seq: number;
  event_id: string;
  method: string;
  /** Of the root, after which nothing of its run comes. */
  isTerminal: boolean;
  /** The whole event as JSON, ready for the wire. */
  text: string;
}

/** What the run's own events do not tell. */
export interface RunFacts {
  graph_name: string | null;
}

/** Many readers see the same live event; it is put into words once. */
const rendered = new WeakMap<RunEvent, ProtocolEvent | null>();

/** Null for what the protocol does not have. */
export function protocolEvent(
  event: RunEvent,
  facts: RunFacts,
): ProtocolEvent | null {
  const known = rendered.get(event);
  if (known !== undefined) return known;
  const made = render(event, facts);
  rendered.set(event, made);
  return made;
}

/** `method` and the members of `params` beside namespace and timestamp, as JSON without its braces. */
interface Told {
  method: string;
  params: string;
  /** Of an event of the user's. */
  name?: string;
}

function render(event: RunEvent, facts: RunFacts): ProtocolEvent | null {
  const [mode = "", ...namespace] = event.event.split("|");
  const told = mode.startsWith(PROTOCOL_PREFIX)
    ? tellOwn(mode.slice(PROTOCOL_PREFIX.length), event.data)
    : TELL[mode]?.(event.data, facts);
  return told == null ? null : enveloped(event, namespace, told);
}

/** Of messages that the run streams have as chunks: those are in the log beside. */
const BESIDE = "messages.beside";

function tellOwn(method: string, data: string): Told {
  const params = inner(data);
  if (method === BESIDE) return { method: "messages", params };
  const told = { method, params };
  if (method !== "custom") return told;
  const { name } = (JSON.parse(data) as { data: { name: string } }).data;
  return { ...told, name };
}

function enveloped(
  { seq, run_id, at, data }: RunEvent,
  namespace: string[],
  { method, params, name }: Told,
): ProtocolEvent {
  const isRoot = method === "lifecycle" && namespace.length === 0;
  const event_id = isRoot ? `synth:${run_id}:${seq}` : String(seq);
  const timestamp = at === 0 ? Date.now() : at;
  return {
    ...{ seq, event_id, method, namespace },
    channel: channelOf(method, name),
    isTerminal: isRoot && !data.startsWith(RUNNING),
    text: `{"type":"event","event_id":"${event_id}","seq":${seq},"method":"${method}","params":{"namespace":${JSON.stringify(namespace)},"timestamp":${timestamp},${params}}}`,
  };
}

/** The data of `metadata`, which is what tells that a run goes on. */
const RUNNING = '{"run_id"';

function channelOf(method: string, name: string | undefined): string {
  if (method.startsWith("input.")) return "input";
  return name === undefined ? method : `${method}:${name}`;
}

const inner = (json: string): string => json.slice(1, -1);

type Tell = (data: string, facts: RunFacts) => Told | null;

const TELL: Readonly<Record<string, Tell>> = {
  metadata: (_, { graph_name }) => {
    const name =
      graph_name === null ? "" : `,"graph_name":${JSON.stringify(graph_name)}`;
    return { method: "lifecycle", params: `"data":{"event":"running"${name}}` };
  },
  values: (data) => {
    const state = stateOf(data);
    return state === null ? null : plain("values", state);
  },
  tasks: (data) => plain("tasks", data),
  updates,
  custom,
  tools,
};

const plain = (method: string, data: string): Told => ({
  method,
  params: `"data":${data}`,
});

/** Questions are events of their own; null when there is nothing else. */
function stateOf(data: string): string | null {
  const hasQuestions = data.includes('"__interrupt__"');
  if (!hasQuestions && !mayHaveMessages(data)) return data;
  const state: unknown = JSON.parse(data);
  if (!isObject(state)) return data;
  const { __interrupt__: asked, ...rest } = state;
  if (asked !== undefined && Object.keys(rest).length === 0) return null;
  return JSON.stringify(withProtocolMessages(rest));
}

/** `{node: update}` */
function updates(data: string): Told | null {
  const update: unknown = JSON.parse(data);
  if (!isObject(update)) return null;
  const [node, given] = Object.entries(update)[0] ?? [];
  if (node === undefined || node === "__interrupt__") return null;
  // The protocol has an object there.
  const values = isObject(given) ? given : { value: given };
  const name = JSON.stringify(node);
  return {
    method: "updates",
    params: `"node":${name},"data":{"node":${name},"values":${JSON.stringify(values)}}`,
  };
}

/** What a node writes has a name when it says so itself. */
function custom(data: string): Told {
  const payload: unknown = data.includes('"name"') ? JSON.parse(data) : null;
  if (!isObject(payload) || typeof payload["name"] !== "string")
    return plain("custom", `{"payload":${data}}`);
  const { name } = payload;
  const named = "payload" in payload ? payload : { name, payload };
  return { ...plain("custom", JSON.stringify(named)), name };
}

function tools(data: string): Told | null {
  const given = JSON.parse(data) as {
    event?: string;
    toolCallId?: string;
    name?: string;
    input?: unknown;
    data?: unknown;
    output?: unknown;
    error?: unknown;
  };
  const tool_call_id = given.toolCallId ?? "";
  const told = (event: string, rest: object) =>
    plain("tools", JSON.stringify({ event, tool_call_id, ...rest }));
  const textOf = (value: unknown) =>
    typeof value === "string" ? value : JSON.stringify(value ?? "");
  switch (given.event) {
    case "on_tool_start":
      return told("tool-started", {
        tool_name: given.name ?? "unknown",
        input: given.input,
      });
    case "on_tool_event":
      return told("tool-output-delta", { delta: textOf(given.data) });
    case "on_tool_end":
      return told("tool-finished", { output: given.output ?? null });
    case "on_tool_error": {
      const { error } = given;
      const message =
        isObject(error) && "message" in error ? error["message"] : error;
      return told("tool-error", { message: textOf(message) });
    }
    default:
      return null;
  }
}
