/** What a stream of a thread shows: the frames of its runs, only their start and end, the state that each leaves. */
export const THREAD_STREAM_MODES = [
  "run_modes",
  "lifecycle",
  "state_update",
] as const;
export type ThreadStreamMode = (typeof THREAD_STREAM_MODES)[number];
