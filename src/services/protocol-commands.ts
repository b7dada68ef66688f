import type { Caller } from "../auth/caller.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import type { CommandParams, Done, ProtocolDeps } from "./protocol-deps.ts";
import { fork, inject, respond, startRun } from "./protocol-run.ts";
import {
  listProtocolCheckpoints,
  readProtocolState,
} from "./protocol-state.ts";
import { readTree } from "./protocol-tree.ts";

export interface ProtocolCommand {
  id: number;
  method: string;
  params: CommandParams;
}

type Perform = (
  deps: ProtocolDeps,
  caller: Caller,
  threadId: string,
  params: CommandParams,
) => Promise<Done>;

/** Those that need no connection of their own; see http/protocol-socket.ts for the rest. */
const COMMANDS: Readonly<Record<string, Perform>> = {
  "run.start": startRun,
  "input.respond": respond,
  "input.inject": inject,
  "state.get": readProtocolState,
  "state.listCheckpoints": listProtocolCheckpoints,
  "state.fork": fork,
  "agent.getTree": readTree,
};

const OF_SOCKETS = new Set([
  "subscription.subscribe",
  "subscription.unsubscribe",
  "subscription.reconnect",
]);

/** Throws ProtocolError, ZodError for parameters, or AppError. */
export async function performCommand(
  deps: ProtocolDeps,
  caller: Caller,
  threadId: string,
  { method, params }: ProtocolCommand,
): Promise<Done> {
  const perform = Object.hasOwn(COMMANDS, method) ? COMMANDS[method] : null;
  if (OF_SOCKETS.has(method))
    throw new ProtocolError(
      "not_supported",
      `${method} is for WebSockets; over HTTP, POST a filter to /threads/${threadId}/stream/events.`,
    );
  if (perform == null)
    throw new ProtocolError("unknown_command", `Unknown command: ${method}`);
  return perform(deps, caller, threadId, params);
}
