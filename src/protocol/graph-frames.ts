import type { Json, JsonObject } from "../lib/json.ts";
import type { EmbeddingSpec } from "./embedding-frames.ts";
import type { Method } from "./method.ts";

/** One entry of `graphs` in langgraph.json. */
export interface GraphSpec {
  graph_id: string;
  /** Absolute path of the file. */
  file: string;
  /** The exported name; `default` when none was given. */
  export_name: string;
  description: string | null;
}

export interface GraphSchemas {
  graph_id: string;
  input_schema: JsonObject | null;
  output_schema: JsonObject | null;
  state_schema: JsonObject | null;
  config_schema: JsonObject | null;
  context_schema: JsonObject | null;
}

export type GraphRequests = {
  /** Loads every graph; a `graph.loaded` or `graph.failed` notice for each comes first. */
  "project.load": Method<
    {
      root: string;
      graphs: GraphSpec[];
      /** Null: the store has no index. */
      embedding?: EmbeddingSpec | null;
    },
    { loaded: string[]; failed: Record<string, GraphFailure> }
  >;
  /** The drawable graph: `{nodes, edges}`. `xray` is a depth, or true for all of it. */
  "graph.draw": Method<
    { graph_id: string; configurable: JsonObject; xray: boolean | number },
    Json
  >;
  /** Namespace -> schemas, both spellings of the keys (`state` and `state_schema`). */
  "graph.subgraphs": Method<
    {
      graph_id: string;
      configurable: JsonObject;
      namespace?: string;
      recurse: boolean;
    },
    Record<string, JsonObject>
  >;
  "graph.schemas": Method<
    { graph_id: string; configurable: JsonObject },
    GraphSchemas
  >;
};

/** Why a graph did not load, for people. */
export interface GraphFailure {
  name: string;
  message: string;
  /** Path relative to the project, `src/agent.ts`; null when the error has no place. */
  file: string | null;
  line: number | null;
  column: number | null;
  /** The lines around the place with a marker, without colours; null when there is no place. */
  frame: string | null;
}
