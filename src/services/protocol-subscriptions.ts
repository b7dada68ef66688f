import { z } from "zod";
import type { Caller } from "../auth/caller.ts";
import { optional, uuid } from "../model/fields.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import {
  matchesFilter,
  protocolFilter,
  type ProtocolFilter,
} from "../model/protocol-filter.ts";
import { eventsSoFar } from "../stream/follow.ts";
import {
  protocolEvent,
  type ProtocolEvent,
} from "../stream/protocol-events.ts";
import type { CommandParams, ProtocolDeps } from "./protocol-deps.ts";
import { protocolEvents, replayFrom } from "./protocol-stream.ts";
import { treeOf, type TreeNode } from "./protocol-tree.ts";

/*
 * The subscriptions of one connection. One reader of the thread serves all of
 * them, so that what matches several is sent once, and in the order of the
 * thread: clients filter again, and give each event to all of theirs that it
 * matches. It begins again where the newest subscription does; the others have
 * had what comes before.
 *
 * The id of a subscription says what it is, so that whoever comes back has it
 * restored, by whichever server, and no server remembers what may never come.
 */

/** Each costs a comparison per event. */
const MAX_SUBSCRIPTIONS = 100;

interface Subscription {
  filter: ProtocolFilter;
  /** The number of the last event that it has had. */
  cursor: number;
}

export interface Outlet {
  /** Awaited: the next event is read when there is room for it. */
  send(text: string): Promise<void> | void;
  failed(cause: unknown): void;
  /** The thread is gone, and nothing more can come. */
  ended(): void;
}

const reconnect = z.object({
  run_id: uuid,
  last_event_id: optional(z.string()),
  subscriptions: optional(z.array(z.string()).max(MAX_SUBSCRIPTIONS)),
});

export class ProtocolSubscriptions {
  readonly #deps: ProtocolDeps;
  readonly #caller: Caller;
  readonly #threadId: string;
  readonly #outlet: Outlet;
  readonly #all = new Map<string, Subscription>();
  /** Ends the reading of the thread that goes on. */
  #reading = new AbortController();
  #count = 0;

  constructor(params: {
    deps: ProtocolDeps;
    caller: Caller;
    threadId: string;
    outlet: Outlet;
  }) {
    this.#deps = params.deps;
    this.#caller = params.caller;
    this.#threadId = params.threadId;
    this.#outlet = params.outlet;
  }

  /** `answer` is called before the first event is sent. */
  async subscribe(
    params: CommandParams,
    answer: (result: object) => void,
  ): Promise<void> {
    const filter = protocolFilter.parse(params);
    const cursor =
      filter.since ?? (await replayFrom(this.#deps, this.#threadId));
    const subscription_id = this.#nextId(filter);
    this.#add(subscription_id, { filter, cursor });
    answer({ subscription_id });
    this.#read();
  }

  unsubscribe({ subscription_id: id }: CommandParams): object {
    if (typeof id !== "string" || !this.#all.delete(id))
      throw new ProtocolError(
        "no_such_subscription",
        `There is no subscription ${JSON.stringify(id)} on this connection.`,
      );
    if (this.#all.size === 0) this.#reading.abort();
    return {};
  }

  /** Those of an earlier connection go on after the last event that it has had. */
  async reconnect(
    params: CommandParams,
    answer: (result: object) => void,
  ): Promise<void> {
    const { run_id, last_event_id, subscriptions } = reconnect.parse(params);
    const tree = await treeOf(this.#deps, this.#caller, this.#threadId, run_id);
    const ids = subscriptions ?? [];
    const filters = ids.map(filterOf);
    const lastSeq = seqOf(last_event_id);
    const cursor = lastSeq ?? (await replayFrom(this.#deps, this.#threadId));
    const known = filters.filter((filter) => filter !== null);
    const missed_events = await this.#missed(known, cursor);
    for (const [index, filter] of filters.entries())
      if (filter !== null) this.#add(ids[index] ?? "", { filter, cursor });
    answer({
      restored: ids.length > 0 && known.length === ids.length,
      missed_events,
      current_namespaces: entriesOf(tree),
    });
    if (known.length > 0) this.#read();
  }

  close(): void {
    this.#reading.abort();
    this.#all.clear();
  }

  #add(id: string, subscription: Subscription): void {
    if (!this.#all.has(id) && this.#all.size >= MAX_SUBSCRIPTIONS)
      throw new ProtocolError(
        "invalid_argument",
        `a connection has ${MAX_SUBSCRIPTIONS} subscriptions at most; unsubscribe from one first`,
      );
    this.#all.set(id, subscription);
  }

  #nextId(filter: ProtocolFilter): string {
    for (;;) {
      this.#count += 1;
      const id = idOf(this.#count, filter);
      if (!this.#all.has(id)) return id;
    }
  }

  async #missed(filters: ProtocolFilter[], after: number): Promise<number> {
    if (filters.length === 0) return 0;
    let count = 0;
    const from = { thread_id: this.#threadId, run_id: null, after };
    for await (const event of eventsSoFar(this.#deps, from)) {
      const made = protocolEvent(event, { graph_name: null });
      if (
        made !== null &&
        filters.some((filter) => matchesFilter(made, filter))
      )
        count += 1;
    }
    return count;
  }

  #read(): void {
    this.#reading.abort();
    const reading = new AbortController();
    this.#reading = reading;
    this.#pump(reading.signal).then(
      () => {
        if (!reading.signal.aborted) this.#outlet.ended();
      },
      (cause: unknown) => this.#outlet.failed(cause),
    );
  }

  async #pump(signal: AbortSignal): Promise<void> {
    const cursors = [...this.#all.values()].map(({ cursor }) => cursor);
    const batches = protocolEvents(this.#deps, this.#caller, {
      thread_id: this.#threadId,
      after: Math.min(...cursors),
      signal,
    });
    for await (const batch of batches)
      for (const event of batch) {
        if (signal.aborted) return;
        if (this.#isAsked(event)) await this.#outlet.send(event.text);
      }
  }

  #isAsked(event: ProtocolEvent): boolean {
    let isAsked = false;
    for (const subscription of this.#all.values()) {
      if (subscription.cursor >= event.seq) continue;
      subscription.cursor = event.seq;
      isAsked ||= matchesFilter(event, subscription.filter);
    }
    return isAsked;
  }
}

const idOf = (count: number, { since: _, ...filter }: ProtocolFilter): string =>
  `sub_${count}_${Buffer.from(JSON.stringify(filter)).toString("base64url")}`;

/** Null for an id that is none of ours. */
function filterOf(id: string): ProtocolFilter | null {
  const [, encoded] = /^sub_\d+_([\w-]+)$/.exec(id) ?? [];
  if (encoded === undefined) return null;
  try {
    const text = Buffer.from(encoded, "base64url").toString();
    return protocolFilter.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** `17`, or `synth:<run>:17`; null for what names no event. */
function seqOf(eventId: string | undefined): number | null {
  const [, digits] = /(?:^|:)(\d{1,15})$/.exec(eventId ?? "") ?? [];
  return digits === undefined ? null : Number(digits);
}

const entriesOf = (node: TreeNode): object[] => [
  { namespace: node.namespace, status: node.status },
  ...(node.children ?? []).flatMap(entriesOf),
];
