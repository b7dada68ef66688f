import type { Client } from "@langchain/langgraph-sdk";

/** What clients of the crash tests talk to: one server, or several instances behind one address. */
export interface Served {
  /** Where clients keep their notes. */
  readonly directory: string;
  readonly client: Client;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  send(method: string, path: string, body?: unknown): Promise<Response>;
}
