import type { ChatMessage } from "./chat-message.ts";

/*
 * A message that is edited gives its thread a second branch, and the server
 * keeps both. Which there are is seen from the checkpoints: each has the whole
 * conversation that led to it.
 */

export interface Checkpoint {
  /** Ids are in the order of time. */
  id: string;
  parent: string | undefined;
  messages: ChatMessage[];
}

/** By id. */
export type Checkpoints = ReadonlyMap<string, Checkpoint>;

export interface Branches {
  /** Of the versions of this message, in the order of time. */
  shown: number;
  /** The newest checkpoint of each. */
  newest: Checkpoint[];
}

export function newestOf(checkpoints: Iterable<Checkpoint>) {
  return [...checkpoints].reduce<Checkpoint | undefined>(
    (newest, one) => (newest && newest.id > one.id ? newest : one),
    undefined,
  );
}

/** The versions of a message: what else was said after the same messages. */
export function branchesAt(
  checkpoints: Checkpoints,
  { messages, index }: { messages: ChatMessage[]; index: number },
): Branches {
  const versions = new Map<string, Checkpoint[]>();
  for (const one of inOrder(checkpoints)) {
    const id = one.messages[index]?.id;
    if (id === undefined || !startAlike(one.messages, messages, index))
      continue;
    versions.set(id, [...(versions.get(id) ?? []), one]);
  }
  return {
    shown: [...versions.keys()].indexOf(messages[index]?.id ?? ""),
    newest: [...versions.values()].map((of) => newestOf(of)!),
  };
}

/** The checkpoint before a message: a run from there says something else in its place. */
export function checkpointBefore(
  checkpoints: Checkpoints,
  { messages, index }: { messages: ChatMessage[]; index: number },
): string | undefined {
  return inOrder(checkpoints).find((one) =>
    startAlike(one.messages, messages, index + 1),
  )?.parent;
}

const inOrder = (checkpoints: Checkpoints) =>
  [...checkpoints.values()].sort((a, b) => (a.id < b.id ? -1 : 1));

const startAlike = (
  some: ChatMessage[],
  others: ChatMessage[],
  count: number,
) =>
  some.length >= count &&
  others.slice(0, count).every(({ id }, index) => id === some[index]?.id);
