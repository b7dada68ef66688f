import type { Caller } from "../auth/caller.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import { respond, startRun, type Done } from "./protocol-run.ts";
import type { RunDeps } from "./run-deps.ts";

export interface ProtocolCommand {
  id: number;
  method: string;
  params: Record<string, unknown>;
}

type Perform = (
  deps: RunDeps,
  caller: Caller,
  threadId: string,
  params: Record<string, unknown>,
) => Promise<Done>;

/** Those that need no connection of their own; see http/protocol-socket.ts for the rest. */
const COMMANDS: Readonly<Record<string, Perform>> = {
  "run.start": startRun,
  "input.respond": respond,
};

/** Throws ProtocolError, ZodError for parameters, or AppError. */
export async function performCommand(
  deps: RunDeps,
  caller: Caller,
  threadId: string,
  { method, params }: ProtocolCommand,
): Promise<Done> {
  const perform = Object.hasOwn(COMMANDS, method) ? COMMANDS[method] : null;
  if (perform == null)
    throw new ProtocolError("unknown_command", `Unknown command: ${method}`);
  return perform(deps, caller, threadId, params);
}
