import { z } from "zod";
import { isObject, type JsonObject } from "../lib/json.ts";
import type { ThreadState } from "./thread-state.ts";

const FIELDS: readonly (keyof ThreadState)[] = [
  "values",
  "next",
  "tasks",
  "checkpoint",
  "metadata",
  "created_at",
  "parent_checkpoint",
  "interrupts",
];

const VALUE_PREFIX = "values.";

/** A field of a state, or `values.<key>` for a part of its values. */
export const stateField = z
  .string()
  .refine(
    (name) =>
      (FIELDS as readonly string[]).includes(name) ||
      (name.startsWith(VALUE_PREFIX) && name.length > VALUE_PREFIX.length),
    `must be one of ${FIELDS.join(", ")}, or values.<key>`,
  );

/** The state with only the selected fields. Nothing selected means everything. */
export function selectState(
  state: ThreadState,
  select: readonly string[],
): Partial<ThreadState> {
  if (select.length === 0) return state;
  const selected = new Set(select);
  const shown: Partial<ThreadState> = Object.fromEntries(
    FIELDS.filter((field) => selected.has(field)).map((field) => [
      field,
      state[field],
    ]),
  );
  const keys = select.filter((name) => name.startsWith(VALUE_PREFIX));
  if (keys.length > 0 && !selected.has("values"))
    shown.values = valuesAt(
      state.values,
      keys.map((name) => name.slice(VALUE_PREFIX.length)),
    );
  return shown;
}

function valuesAt(
  values: ThreadState["values"],
  keys: readonly string[],
): JsonObject {
  if (!isObject(values)) return {};
  return Object.fromEntries(
    keys
      .filter((key) => Object.hasOwn(values, key))
      .map((key) => [key, values[key] as JsonObject[string]]),
  );
}
