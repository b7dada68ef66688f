import { z } from "zod";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";

/*
 * Field rules that all requests share: absent and null mean the same, unknown
 * keys are ignored, and user's JSON passes through untouched (never through
 * `z.record`, which drops a member called `__proto__`).
 */

/** Absent and null come out as undefined. */
export const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();

/** Absent and null come out as the default. */
export const withDefault = <T extends z.ZodType>(
  schema: T,
  value: NonNullable<z.output<T>>,
) =>
  schema
    .nullish()
    .transform((given): NonNullable<z.output<T>> => given ?? value);

/** Any version of UUID, as Postgres takes them; in lower case, so that both engines compare alike. */
export const uuid = z.guid("must be a UUID").toLowerCase();

/** Deeper JSON is nobody's data, and would overflow the stack of whoever walks it. */
const MAX_JSON_DEPTH = 500;

/** Level by level, and only what can have levels below it: a million members are passed over quickly. */
function isTooDeep(value: unknown): boolean {
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= MAX_JSON_DEPTH) return true;
    const below: object[] = [];
    for (const node of level)
      for (const child of Object.values(node) as unknown[])
        if (isNested(child)) below.push(child);
    level = below;
  }
  return false;
}

const isNested = (value: unknown): value is object =>
  typeof value === "object" && value !== null;

const TOO_DEEP = `must not be nested deeper than ${MAX_JSON_DEPTH} levels`;

export const jsonValue = z
  .unknown()
  .refine((value) => value !== undefined, "required")
  .refine((value) => !isTooDeep(value), TOO_DEEP)
  .transform((value) => value as Json)
  .meta({ description: "Any JSON value" });

export const jsonObject = z
  .custom<JsonObject>((value) => isObject(value) && !isTooDeep(value), {
    error: ({ input }) => (isObject(input) ? TOO_DEEP : "must be an object"),
  })
  .meta({ type: "object", additionalProperties: true });

/** Written by the server alone; a client that echoes them back does no harm. */
const RESERVED_METADATA = /^langgraph_(auth_.*|request_id)$/s;

/** Metadata as a client may set it. */
export const metadata = jsonObject.transform((given): JsonObject => {
  const keys = Object.keys(given);
  if (!keys.some((key) => RESERVED_METADATA.test(key))) return given;
  return Object.fromEntries(
    Object.entries(given).filter(([key]) => !RESERVED_METADATA.test(key)),
  );
});

/** Lists longer than this are looked through before zod reports on them. */
const LONG_LIST = 1000;
const MAX_WRONG_ITEMS = 20;

/** A list in a body. zod reports every wrong item, which takes seconds for a million of them; here the list ends after the first few. */
export const list = <T extends z.ZodType>(array: z.ZodArray<T>) =>
  z.preprocess(
    (given) =>
      Array.isArray(given) && given.length > LONG_LIST
        ? upToWrong(given, array.element)
        : given,
    array,
  );

function upToWrong(given: unknown[], item: z.ZodType): unknown[] {
  let wrong = 0;
  for (const [index, value] of given.entries()) {
    if (item.safeParse(value).success) continue;
    wrong += 1;
    if (wrong === MAX_WRONG_ITEMS) return given.slice(0, index + 1);
  }
  return given;
}

/** A list in a query: repeated keys, JSON text, or separated by commas. */
export const queryList = <T extends z.ZodType>(item: T) =>
  z
    .preprocess(splitQueryList, z.array(item))
    .meta({ type: "array", items: { type: "string" } });

function splitQueryList(given: unknown): unknown {
  const texts = Array.isArray(given) ? given : [given];
  return texts.flatMap((text) =>
    typeof text === "string" ? (jsonList(text) ?? commaList(text)) : [text],
  );
}

function jsonList(text: string): unknown[] | null {
  if (!text.trimStart().startsWith("[")) return null;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : null;
  } catch {
    return null;
  }
}

const commaList = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  false: false,
  "0": false,
  no: false,
};

/** `true/false`, `1/0`, `yes/no` in any case, in queries and in bodies. */
export const lenientBoolean = z
  .preprocess((given) => {
    const text = String(given).toLowerCase();
    return Object.hasOwn(BOOLEANS, text) ? BOOLEANS[text] : given;
  }, z.boolean("must be true or false"))
  .meta({ type: "boolean" });

/** About 1,900 years; what comes after that is no date any more. */
const MAX_TTL_MINUTES = 1_000_000_000;

export const ttlMinutes = z.number().positive().max(MAX_TTL_MINUTES);

export const MAX_PAGE = 1000;

/** Rows of one page. */
export const limit = (fallback: number) =>
  withDefault(z.int().min(1).max(MAX_PAGE), fallback);

export const offset = withDefault(z.int().min(0), 0);
