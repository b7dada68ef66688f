import { MemorySaver } from "@langchain/langgraph";
import type { StreamMode } from "@langchain/langgraph-sdk";
import { describe, expect, test } from "vitest";
import { graph as agent } from "../../examples/agent/src/agent.ts";
import { graph as approval } from "../../examples/patterns/src/approval.ts";
import { graph as fanOut } from "../../examples/patterns/src/fan-out.ts";
import { graph as parallelApprovals } from "../../examples/patterns/src/parallel-approvals.ts";
import { graph as slow } from "../../examples/patterns/src/slow.ts";
import { graph as trip } from "../../examples/patterns/src/trip.ts";
import { collect, eventsOf, refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { graph as office } from "../fixtures/stream-graphs/office.ts";
import { graph as workshop } from "../fixtures/stream-graphs/workshop.ts";

const server = useServer();

/** What a frame says, without what differs from run to run: event and text. */
type Told = [event: string, text: string];

interface Asked {
  input: object;
  streamMode: StreamMode[];
  streamSubgraphs: boolean;
}

interface Streaming {
  checkpointer?: unknown;
  stream(input: object, options: object): Promise<AsyncIterable<unknown>>;
}

/** What LangGraph itself streams, here and without us. */
async function fromLangGraph(graph: unknown, asked: Asked): Promise<Told[]> {
  const streaming = Object.create(graph as Streaming) as Streaming;
  streaming.checkpointer = new MemorySaver();
  const told: Told[] = [];
  for await (const element of await streaming.stream(asked.input, {
    streamMode: asked.streamMode.map((mode) =>
      mode === "messages-tuple" ? "messages" : mode,
    ),
    subgraphs: true,
    configurable: { thread_id: "t" },
  })) {
    const [namespace, mode, payload] = element as [string[], string, unknown];
    const isCustom = mode === "custom";
    if (namespace.length > 0 && !asked.streamSubgraphs && !isCustom) continue;
    const place = asked.streamSubgraphs ? namespace : [];
    told.push([[mode, ...place].join("|"), JSON.stringify(payload, flatten)]);
  }
  return anonymous(told);
}

/** What our server streams of it. */
async function fromServer(
  name: string,
  asked: Asked,
  leftOut?: string,
): Promise<Told[]> {
  const { thread_id } = await server.client.threads.create();
  const frames = await collect(
    server.client.runs.stream(thread_id, name, asked as never),
  );
  const told = frames
    .filter(({ event }) => !["metadata", "end", leftOut].includes(event))
    .map(({ event, data }): Told => [event, JSON.stringify(data)]);
  return anonymous(told);
}

/** LangChain's messages and errors as the API has them. */
function flatten(this: Record<string, unknown>, key: string, value: unknown) {
  const raw = this[key] as { toDict?: () => { type: string; data: object } };
  if (raw instanceof Error) return { error: raw.name, message: raw.message };
  if (typeof raw?.toDict !== "function") return value;
  const { type, data } = raw.toDict();
  return { ...data, type };
}

/** Ids by the order in which they appear, and nothing of what a server adds: config and metadata. */
function anonymous(told: Told[]): Told[] {
  const ids = new Map<string, string>();
  const named = (text: string) =>
    text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}/g, (id) => {
      if (!ids.has(id)) ids.set(id, `#${ids.size}`);
      return ids.get(id)!;
    }); // prettier-ignore
  return told.map(([event, text]) => {
    const data = essence(event, JSON.parse(text));
    return [named(event), named(JSON.stringify(data))];
  });
}

type Payload = Record<string, unknown>;

function essence(event: string, data: unknown): unknown {
  const [mode] = event.split("|");
  if (mode === "messages") {
    const [message, origin] = data as [Payload, Payload];
    const { langgraph_node, langgraph_step, tags } = origin;
    return [sorted(message), { langgraph_node, langgraph_step, tags }];
  }
  if (mode === "tools") return essenceOfTool(data as Payload);
  if (mode === "checkpoints") return essenceOfCheckpoint(data as Payload);
  if (mode === "tasks") return essenceOfTask(data as Payload);
  if (mode === "debug") {
    const { type, step, payload } = data as Payload;
    const isCheckpoint = type === "checkpoint";
    const of = isCheckpoint ? essenceOfCheckpoint : essenceOfTask;
    return { type, step, payload: of(payload as Payload) };
  }
  return sorted(data);
}

function essenceOfCheckpoint({ values, next, tasks, ...rest }: Payload) {
  const { source, step } = rest["metadata"] as Payload;
  const named = (tasks as Payload[]).map(({ name, interrupts, result }) =>
    sorted({ name, interrupts, result }),
  );
  return { values: sorted(values), next, source, step, tasks: named };
}

/** LangGraph gives the message of a tool its id after it has told of it: who reads early sees none. */
function essenceOfTool({ output, ...event }: Payload) {
  if (typeof output !== "object" || output === null)
    return sorted({ output, ...event });
  const { id: _, ...message } = output as Payload;
  return sorted({ output: message, ...event });
}

function essenceOfTask({ metadata: _, error, ...task }: Payload) {
  return sorted(error == null ? task : { ...task, error: true });
}

/** Keys in one order, and no member that is undefined. */
const sorted = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === "object" && member !== null && !Array.isArray(member)
        ? Object.fromEntries(
            Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)),
          )
        : member,
    ),
  );

const ask = (content: string) => ({ messages: [{ role: "user", content }] });

const CASES: [name: string, graph: unknown, input: object][] = [
  ["agent", agent, ask("weather in Lisbon")],
  ["fan-out", fanOut, { text: "a bc" }],
  ["slow", slow, { steps: 2, seconds: 0.01 }],
  ["trip", trip, { wish: "a day in Faro" }],
  ["approval", approval, { to: "Ada" }],
  ["parallel-approvals", parallelApprovals, { amounts: [20, 300] }],
  ["office", office, { mode: "" }],
  ["workshop", workshop, {}],
];

const MODES: StreamMode[] = [
  ...(["values", "updates", "messages-tuple", "custom"] as const),
  ...(["debug", "tasks", "checkpoints", "tools"] as const),
];

describe.each(CASES)("%s", (name, graph, input) => {
  test.each([false, true])(
    "streams what LangGraph streams, mode by mode (subgraphs: %s)",
    async (streamSubgraphs) => {
      for (const mode of MODES) {
        const asked = { input, streamMode: [mode], streamSubgraphs };
        const expected = await fromLangGraph(graph, asked);
        expect([mode, await fromServer(name, asked)]).toEqual([mode, expected]);
      }
    },
  );

  test("streams all modes together in the order of LangGraph", async () => {
    const asked = { input, streamMode: MODES, streamSubgraphs: true };
    const expected = await fromLangGraph(graph, asked);
    expect(await fromServer(name, asked)).toEqual(expected);
  });

  test("streams the same frames beside events as without", async () => {
    // With `messages-tuple` models stream both times, which their messages show.
    const streamMode: StreamMode[] = ["values", "messages-tuple", "tasks"];
    const asked = { input, streamMode, streamSubgraphs: true };
    const plain = await fromServer(name, asked);
    const more = { ...asked, streamMode: [...streamMode, "events" as const] };
    expect(await fromServer(name, more, "events")).toEqual(plain);
  });
});

/** `lifecycle|desk:1ef…|clerk:1ef…` without the ids. */
const plain = (event: string) => event.replaceAll(/:[0-9a-f-]{36}/g, "");

test("a run whose modes are partly unknown streams the known ones, and the log tells of the others", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const streamMode = ["thoughts", "updates"] as StreamMode[];
  const input = { text: "a bc" };
  const frames = await collect(
    runs.stream(thread_id, "fan-out", { input, streamMode }),
  );
  expect(new Set(eventsOf(frames))).toEqual(
    new Set(["metadata", "updates", "end"]),
  );
  const [run] = await runs.list(thread_id);
  expect(run).toMatchObject({ kwargs: { stream_mode: ["updates"] } });
  const line = /WARN.*unknown stream modes are ignored.*thoughts/;
  await waitFor("the log tells of it", () => line.exec(server.output()));

  const joined = (modes: string[]) =>
    collect(
      runs.joinStream(thread_id, run?.run_id ?? "", {
        lastEventId: "-1",
        streamMode: modes as StreamMode[],
      }),
    );
  expect(await joined(["dreams", "updates"])).toEqual(frames);
  await waitFor("the log tells of it", () => /dreams/.exec(server.output()));
  const { status, detail } = await refusal(joined(["dreams"]));
  expect(status).toBe(422);
  expect(detail).toMatch(
    /stream_mode: unknown mode "dreams"; known are values/,
  );
});

test("a stream of some namespaces has the frames of those graphs only, when it starts and when it is joined", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const ask = (streamNamespaces?: string[]) => ({
    input: { mode: "" },
    streamMode: ["updates", "lifecycle"] as StreamMode[],
    streamSubgraphs: true,
    ...(streamNamespaces === undefined ? {} : { streamNamespaces }),
  });
  const all = await collect(runs.stream(thread_id, "office", ask() as never));
  expect(eventsOf(all).map(plain)).toContain("updates|desk|clerk");
  const root = await collect(
    runs.stream(thread_id, "office", ask([""]) as never),
  );
  expect(eventsOf(root)).toEqual(["metadata", "updates", "updates", "end"]);

  const desk = eventsOf(all).find((event) => plain(event) === "updates|desk");
  const namespace = desk?.slice("updates|".length) ?? "";
  const [, run] = await runs.list(thread_id);
  const join = async (...streamNamespaces: string[]) => {
    const options = { lastEventId: "-1", streamNamespaces };
    const frames = await collect(
      runs.joinStream(thread_id, run?.run_id ?? "", options),
    );
    return eventsOf(frames).map(plain);
  };
  expect(await join(namespace)).toEqual([
    "metadata",
    "lifecycle|desk",
    "updates|desk",
    "lifecycle|desk",
    "end",
  ]);
  expect(await join("", namespace)).toHaveLength(7);
  const info = (await (await server.fetch("/info")).json()) as {
    flags: Record<string, boolean>;
  };
  expect(info.flags["stream_namespaces"]).toBe(true);
});
