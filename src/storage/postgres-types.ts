import type { CustomTypesConfig } from "pg";
import { JsonParameter } from "./sql.ts";

/** Object ids of types, the same in every Postgres (pg_type.dat). */
const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const JSON_TEXT = 114;
const FLOAT4 = 700;
const FLOAT8 = 701;
const TIMESTAMPTZ = 1184;
const NUMERIC = 1700;
const JSONB = 3802;

/** Our counters and sums of sizes stay far below 2^53. */
const PARSERS = new Map<number, (text: string) => unknown>([
  ...[INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC].map(
    (type) => [type, Number] as const,
  ),
  [BOOL, (text) => text === "t"],
  [BYTEA, (text) => Buffer.from(text.slice(2), "hex")],
  [JSON_TEXT, (text) => JSON.parse(text)],
  [JSONB, (text) => JSON.parse(text)],
  [TIMESTAMPTZ, isoTimestamp],
]);

/** Values of rows, as `Queryable` promises them. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: (type: number) =>
    PARSERS.get(type) ?? ((text: unknown) => text),
};

/** `2026-01-31 12:00:00.5+00`; in whatever zone the session has. */
const TIMESTAMP =
  /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3})\d*)?([+-]\d\d)(?::?(\d\d))?$/;

function isoTimestamp(text: string): string {
  const parts = TIMESTAMP.exec(text);
  if (parts === null) throw new Error(`no timestamp: ${text}`);
  const [, date, time, fraction = "", hours, minutes = "00"] = parts;
  const milliseconds = fraction.padEnd(3, "0");
  const local = `${date}T${time}.${milliseconds}`;
  if (hours === "+00" && minutes === "00") return `${local}Z`;
  return new Date(`${local}${hours}:${minutes}`).toISOString();
}

/** A parameter, as the driver sends it. */
export function encoded(value: unknown): unknown {
  if (value instanceof JsonParameter) return value.toText();
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "string") return withoutNul(value);
  if (Array.isArray(value)) return value.map(encoded);
  if (value === undefined) throw new TypeError("undefined is no SQL parameter");
  return value;
}

/** Postgres has no NUL in text; U+FFFD stands in, as in JSON. */
const withoutNul = (text: string): string =>
  text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
