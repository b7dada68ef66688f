import { isDeepStrictEqual } from "node:util";
import type { WireFrame } from "../support/sse-frames.ts";
import type { FollowedRun, Reader } from "./followed-run.ts";

/**
 * What a reader saw must be the log, from its beginning to its end, without
 * gap and duplicate. The one exception: the last frames of an attempt that went
 * down with the server may have been on their way to the disk. No later frame
 * has their numbers, and what follows is the beginning of the next attempt.
 */
export function checkReaders(
  run: FollowedRun,
  log: WireFrame[],
): { lost: number } {
  // One that never started has no log: each reader is told its end anew.
  const hasStarted = log.some(({ event }) => event === "metadata");
  let lost = 0;
  for (const reader of run.readers)
    try {
      if (hasStarted) lost += checkReader(reader, log);
      else checkEndAlone(reader, log);
    } catch (error) {
      throw new Error(
        `run ${run.run_id} (${run.op}) of thread ${run.thread_id}: ${(error as Error).message}\n  log:  ${show(log)}\n  seen: ${show(reader.frames)}`,
        { cause: error },
      );
    }
  return { lost };
}

/** How many of its frames are not in the log. */
function checkReader({ frames }: Reader, log: WireFrame[]): number {
  const places = new Map(log.map(({ id }, index) => [id, index]));
  let next = 0;
  let lastId = -1;
  let lost = 0;
  for (const frame of frames) {
    if (!(Number(frame.id) > lastId))
      throw new Error(`frame ${frame.id} came after ${lastId}`);
    lastId = Number(frame.id);
    const place = places.get(frame.id);
    if (place === undefined) {
      requireBetweenAttempts(frame, log[next]);
      lost += 1;
      continue;
    }
    if (place !== next)
      throw new Error(
        `the frames from ${log[next]?.id} to ${frame.id} were left out`,
      );
    if (!isDeepStrictEqual(frame, log[place]))
      throw new Error(`frame ${frame.id} is another one in the log`);
    next = place + 1;
  }
  if (next < log.length)
    throw new Error(`the frames from ${log[next]?.id} on were left out`);
  return lost;
}

function checkEndAlone({ frames }: Reader, log: WireFrame[]): void {
  const [told, end] = [frames, log].map((some) =>
    some.map(({ event, data }) => ({ event, data })),
  );
  if (told?.length !== 1 || !isDeepStrictEqual(told, end))
    throw new Error("of a run that never started more than its end was seen");
}

function requireBetweenAttempts(
  frame: WireFrame,
  following: WireFrame | undefined,
): void {
  if (
    following?.event === "metadata" &&
    Number(following.id) > Number(frame.id)
  )
    return;
  throw new Error(
    `frame ${frame.id} is not in the log, and ${following?.id ?? "nothing"} follows it`,
  );
}

const show = (frames: WireFrame[]): string =>
  frames.map(({ id, event }) => `${id} ${event}`).join(", ");
