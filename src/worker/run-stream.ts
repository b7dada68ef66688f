import type { RunKwargs } from "../model/run.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import type { RunCall } from "./run-config.ts";
import type { LibraryMode, StreamChunk } from "./stream-chunk.ts";
import { libraryModes } from "./stream-frames.ts";

export interface StreamParams extends Pick<
  RunKwargs,
  "stream_mode" | "subgraphs" | "protocol"
> {
  graph: CompiledGraph;
  call: RunCall;
}

/** What a run produces, in order: elements of the graph's own stream and, when asked for, LangChain's events. */
export type Produced = { chunk: StreamChunk } | { event: object };

/** Runs the graph to its end, as fast as it is read. Throws what the graph throws. */
export function runStream(params: StreamParams): AsyncIterable<Produced> {
  return params.stream_mode.includes("events")
    ? eventStream(params)
    : chunkStream(params);
}

async function* chunkStream(params: StreamParams): AsyncGenerator<Produced> {
  const { graph, call } = params;
  const nested = hasNamespaces(params);
  const stream = await graph.stream(call.input, streamOptions(params));
  for await (const element of stream) yield { chunk: chunkOf(element, nested) };
}

/** Costs several times more than `stream`: each step of each runnable is an event. */
async function* eventStream(params: StreamParams): AsyncGenerator<Produced> {
  const { graph, call, stream_mode } = params;
  const nested = hasNamespaces(params);
  const wanted = new Set<string>(libraryModes(stream_mode));
  const events = graph.streamEvents(call.input, {
    ...streamOptions(params),
    version: "v2",
  });
  for await (const event of events) {
    if (event.tags?.includes("langsmith:hidden")) continue;
    const isChunk =
      event.event === "on_chain_stream" && event.run_id === call.options.runId;
    if (!isChunk) {
      yield { event };
      continue;
    }
    const chunk = chunkOf(event.data.chunk, nested);
    // LangGraph adds `checkpoints` of its own to this kind of stream.
    if (wanted.has(chunk.mode)) yield { chunk };
  }
}

/** The lifecycle of subgraphs shows in their frames, so they are streamed for it, too. */
const hasNamespaces = ({ stream_mode, subgraphs }: StreamParams): boolean =>
  subgraphs || stream_mode.includes("lifecycle");

const streamOptions = (params: StreamParams) => ({
  ...params.call.options,
  streamMode: libraryModes(params.stream_mode),
  subgraphs: hasNamespaces(params),
  // Messages as content blocks, and a pointer to the checkpoint before each state.
  ...(params.protocol != null && { version: "v3" as never }),
});

function chunkOf(element: unknown, nested: boolean): StreamChunk {
  const [namespace, mode, payload] = (
    nested ? element : [[], ...(element as unknown[])]
  ) as [string[] | null, LibraryMode, unknown];
  return { namespace: namespace ?? [], mode, payload };
}
