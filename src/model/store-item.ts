import type { Json, JsonObject } from "../lib/json.ts";
import { isStorable, STORABLE } from "../lib/storable.ts";
import { AppError, badRequest, invalid } from "./errors.ts";

export interface StoreAddress {
  namespace: readonly string[];
  key: string;
}

/** `store.ttl` of langgraph.json. */
export interface StoreTtl {
  /** For puts that say nothing; null: for ever. */
  default_minutes: number | null;
  refresh_on_read: boolean;
  /** How often expired items are deleted. */
  sweep_minutes: number;
}

export const NO_STORE_TTL: StoreTtl = {
  default_minutes: null,
  refresh_on_read: true,
  sweep_minutes: 60,
};

/** The minutes that a put gives its item. `asked` undefined: it says nothing; null: for ever. */
export const lifetime = (
  asked: number | null | undefined,
  { default_minutes }: StoreTtl,
): number | null => (asked === undefined ? default_minutes : asked);

/** What an access filter is matched against. */
export const storeDocument = (
  item: StoreAddress & { value?: JsonObject },
): JsonObject => ({
  ...item.value,
  namespace: [...item.namespace],
  key: item.key,
});

/** Throws what a client may see. */
export function requireAddress({ namespace, key }: StoreAddress): void {
  requireNamespace(namespace, { field: "namespace", allowEmpty: false });
  if (!isStorable(key)) throw invalid("key", STORABLE);
}

/** Throws what a client may see. Labels are joined with '.' to one text, so none may contain it. */
export function requireNamespace(
  labels: readonly string[],
  { field, allowEmpty }: { field: string; allowEmpty: boolean },
): void {
  if (labels.length === 0 && !allowEmpty)
    throw badRequest("Namespace is required");
  if (labels.some((label) => label === "" || label.includes(".")))
    throw badLabels(field, labels);
  const unstorable = labels.findIndex((label) => !isStorable(label));
  if (unstorable !== -1) throw invalid(`${field}[${unstorable}]`, STORABLE);
}

/** The sentence that clients know, without the field in front of it. */
function badLabels(field: string, labels: readonly string[]): AppError {
  const message = `Namespace labels cannot be empty or contain periods. Received: ${labels.join(".")}`;
  return new AppError("invalid", message, {
    details: { errors: [{ field, message }] },
  });
}

/** Each key of the filter compared with that of the value, as LangGraph's InMemoryStore does it. */
export const matchesFilter = (value: JsonObject, filter: JsonObject): boolean =>
  Object.entries(filter).every(([key, wanted]) =>
    matches(Object.hasOwn(value, key) ? value[key] : undefined, wanted),
  );

type Operator = (value: Json | undefined, wanted: Json) => boolean;

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$eq", (value, wanted) => isEqual(value, wanted)],
  ["$ne", (value, wanted) => !isEqual(value, wanted)],
  ["$gt", (value, wanted) => Number(value) > Number(wanted)],
  ["$gte", (value, wanted) => Number(value) >= Number(wanted)],
  ["$lt", (value, wanted) => Number(value) < Number(wanted)],
  ["$lte", (value, wanted) => Number(value) <= Number(wanted)],
  ["$in", (value, wanted) => isOneOf(value, wanted)],
  [
    "$nin",
    (value, wanted) => !Array.isArray(wanted) || !isOneOf(value, wanted),
  ],
]);

/** An object of nothing but operators is a condition; any other value is what the item must have. */
function matches(value: Json | undefined, wanted: Json): boolean {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted))
    return isEqual(value, wanted);
  const conditions = Object.entries(wanted);
  return conditions.every(([name]) => OPERATORS.has(name))
    ? conditions.every(([name, operand]) =>
        OPERATORS.get(name)?.(value, operand),
      )
    : isEqual(value, wanted);
}

const isOneOf = (value: Json | undefined, wanted: Json): boolean =>
  Array.isArray(wanted) && wanted.some((one) => isEqual(value, one));

function isEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  if (a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every(
      (key) => Object.hasOwn(right, key) && isEqual(left[key], right[key]),
    )
  );
}

/** Whether the labels begin, or end, with the pattern, in which `*` is any one label. */
export function matchesLabels(
  labels: readonly string[],
  pattern: readonly string[],
  at: "start" | "end",
): boolean {
  const offset = at === "start" ? 0 : labels.length - pattern.length;
  return (
    pattern.length <= labels.length &&
    pattern.every(
      (label, index) => label === "*" || label === labels[offset + index],
    )
  );
}
