/** How the engine keeps time. Measured takeover of a dead instance's runs: 6 to 9 s with these. */
export interface EngineSettings {
  leaseMs: number;
  /** A third of the lease: two beats may be lost. */
  beatMs: number;
  /** The floor under every notification: what one of them missed is found this much later. */
  pollMs: number;
  /** From the abort signal to the end of the worker that does not heed it. */
  cancelGraceMs: number;
  runTimeoutMs: number;
  /** From the stop signal until unfinished runs go back to the queue. */
  shutdownGraceMs: number;
}

export const ENGINE_DEFAULTS: EngineSettings = {
  leaseMs: 9000,
  beatMs: 3000,
  pollMs: 1200,
  cancelGraceMs: 5000,
  runTimeoutMs: 3_600_000,
  shutdownGraceMs: 180_000,
};
