import type { Latencies } from "./load.ts";

export interface Measured extends Latencies {
  /** Milliseconds of CPU of the server and its workers for one request. */
  cpuMs: number;
  /** Of that, the process that answers. */
  serverCpuMs: number;
}

/** case -> contender -> concurrency -> figures */
export type Results = Record<string, Record<string, Record<string, Measured>>>;
