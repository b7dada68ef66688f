import { z } from "zod";

/** What a client of the streaming protocol subscribes to. */
export const PROTOCOL_CHANNELS = [
  "values",
  "updates",
  "messages",
  "tools",
  "lifecycle",
  "input",
  "checkpoints",
  "tasks",
  "custom",
] as const;

const CHANNELS: ReadonlySet<string> = new Set(PROTOCOL_CHANNELS);

const isChannel = (name: string): boolean =>
  CHANNELS.has(name) || (name.startsWith("custom:") && name.length > 7);

/** In any case: `Values` is `values`. A name of the user's keeps its own. */
const channel = z
  .string()
  .transform((name) =>
    /^custom:/i.test(name)
      ? `custom:${name.slice("custom:".length)}`
      : name.toLowerCase(),
  )
  .refine(isChannel, {
    error: ({ input }) =>
      `unknown channel ${JSON.stringify(input)}; known are ${PROTOCOL_CHANNELS.join(", ")} and custom:<name>`,
  });

/** More than any client has; the bounds keep a filter cheap that is asked for each event. */
const MAX_CHANNELS = 100;
const MAX_NAMESPACES = 1000;
const MAX_SEGMENTS = 100;

export const protocolFilter = z.object({
  channels: z
    .array(channel)
    .min(1, "must name a channel at least")
    .max(MAX_CHANNELS),
  namespaces: z
    .array(z.array(z.string()).max(MAX_SEGMENTS))
    .max(MAX_NAMESPACES)
    .nullish(),
  depth: z.int().min(0).nullish(),
  /** Only events with a greater number. */
  since: z.int().min(0).nullish(),
});
export type ProtocolFilter = z.output<typeof protocolFilter>;

/** Where an event belongs. */
export interface EventPlace {
  /** `custom:<name>` for an event with a name of the user's. */
  channel: string;
  namespace: readonly string[];
}

/** The same rule as clients have, who filter again. */
export function matchesFilter(
  { channel, namespace }: EventPlace,
  { channels, namespaces, depth }: ProtocolFilter,
): boolean {
  const isAsked =
    channels.includes(channel) ||
    (channel.startsWith("custom:") && channels.includes("custom"));
  if (!isAsked) return false;
  if (namespaces == null || namespaces.length === 0) return true;
  return namespaces.some(
    (prefix) =>
      isWithin(namespace, prefix) &&
      (depth == null || namespace.length - prefix.length <= depth),
  );
}

/** A segment without a task id means the node, whichever task of it runs. */
const isWithin = (
  namespace: readonly string[],
  prefix: readonly string[],
): boolean =>
  prefix.length <= namespace.length &&
  prefix.every((wanted, index) => {
    const segment = namespace[index] ?? "";
    if (segment === wanted) return true;
    return !wanted.includes(":") && segment.split(":", 1)[0] === wanted;
  });
