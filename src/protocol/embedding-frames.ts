import type { Method } from "./method.ts";

/** `store.index.embed` of langgraph.json. */
export type EmbeddingSource =
  | { kind: "function"; file: string; export_name: string }
  /** A class of LangChain, by the name of its provider. */
  | { kind: "model"; provider: string; model: string };

export interface EmbeddingSpec {
  source: EmbeddingSource;
  /** Numbers in a vector. */
  dims: number;
}

export type EmbeddingRequests = {
  /**
   * A vector for each text, of unit length, as its 32-bit floats, the lowest
   * byte first; one of zeros stays as it is. Without texts the function is
   * loaded and no more. `query`: the texts are what somebody looks for. Fails with
   * `unavailable` and what is wrong when there is no vector to be had.
   */
  "store.embed": Method<
    { texts: string[]; purpose: "item" | "query" },
    Uint8Array[]
  >;
};
