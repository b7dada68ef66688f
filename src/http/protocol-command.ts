import { z } from "@hono/zod-openapi";
import type { Caller } from "../auth/caller.ts";
import type { Logger } from "../lib/logger.ts";
import { AppError, type ErrorCode } from "../model/errors.ts";
import { jsonObject } from "../model/fields.ts";
import {
  ProtocolError,
  type ProtocolErrorCode,
} from "../model/protocol-error.ts";
import {
  performCommand,
  type ProtocolCommand,
} from "../services/protocol-commands.ts";
import type { ProtocolDeps } from "../services/protocol-deps.ts";
import { validationError } from "./validation.ts";

/** The envelope of a command of the streaming protocol. */
export const commandEnvelope = z
  .object({
    id: z.int().min(0),
    method: z.string(),
    params: jsonObject.nullish().transform((params) => params ?? {}),
  })
  .meta({ id: "ProtocolCommand" });

/** What a command is answered. */
export type CommandAnswer =
  | { type: "success"; id: number; result: object; meta?: object }
  | {
      type: "error";
      id: number | null;
      error: ProtocolErrorCode;
      message: string;
    };

/** Never rejects: what goes wrong is told in the protocol's words. */
export async function answerCommand(
  deps: ProtocolDeps,
  caller: Caller,
  threadId: string,
  command: ProtocolCommand,
): Promise<CommandAnswer> {
  const { id } = command;
  try {
    const done = await performCommand(deps, caller, threadId, command);
    // Nobody is told of what the disk does not have.
    await deps.database.durable();
    return { type: "success", id, ...done };
  } catch (cause) {
    return { type: "error", id, ...errorOf(cause, deps.log) };
  }
}

export function errorOf(
  cause: unknown,
  log: Logger,
): { error: ProtocolErrorCode; message: string } {
  if (cause instanceof ProtocolError)
    return { error: cause.code, message: cause.message };
  if (cause instanceof z.ZodError)
    return {
      error: "invalid_argument",
      message: validationError(cause.issues, "params").message,
    };
  if (cause instanceof AppError && cause.code !== "internal_error")
    return { error: CODES[cause.code], message: cause.message };
  log.error({ err: cause }, "a command of the streaming protocol failed");
  return { error: "unknown_error", message: "internal error" };
}

const CODES: Readonly<Record<ErrorCode, ProtocolErrorCode>> = {
  bad_request: "invalid_argument",
  forbidden: "permission_denied",
  not_found: "invalid_argument",
  conflict: "invalid_argument",
  too_large: "invalid_argument",
  invalid: "invalid_argument",
  internal_error: "unknown_error",
  not_implemented: "not_supported",
  unavailable: "unknown_error",
  storage_full: "unknown_error",
};
