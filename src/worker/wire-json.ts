import { types } from "node:util";
import type { Json } from "../lib/json.ts";
import { errorName } from "./error-name.ts";

/*
 * What user code puts into state, updates and custom events, as the JSON that
 * clients expect. Whatever the value is, this returns: a value that cannot be
 * said in JSON becomes its string form and never ends a run.
 */

/** Deeper than any state that makes sense, and well before the stack of `JSON.stringify` ends. */
const MAX_DEPTH = 1000;

/** One-line JSON: messages flattened to `{...data, type}`, errors to `{error, message}`, bytes in base64. */
export const wireText = (value: unknown): string =>
  JSON.stringify(toWire(value));

/** The same as data. */
export function toWire(value: unknown): Json {
  if (value === undefined) return null;
  try {
    const converted = convert(value, new Set());
    return converted === undefined ? stringForm(value) : converted;
  } catch {
    return stringForm(value);
  }
}

/** `undefined` for what JSON leaves out: undefined, functions and symbols. */
function convert(value: unknown, ancestors: Set<object>): Json | undefined {
  switch (typeof value) {
    case "string":
      return cleanText(value);
    case "number":
      return Number.isFinite(value) ? value : null;
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : convertObject(value, ancestors);
    default:
      return undefined;
  }
}

function convertObject(
  value: object,
  ancestors: Set<object>,
): Json | undefined {
  if (ancestors.has(value) || ancestors.size >= MAX_DEPTH)
    return stringForm(value);
  ancestors.add(value);
  try {
    return convertKnown(value, ancestors);
  } catch {
    return stringForm(value); // a getter, a proxy or a toJSON that throws
  } finally {
    ancestors.delete(value);
  }
}

function convertKnown(value: object, ancestors: Set<object>): Json | undefined {
  if (Array.isArray(value)) return convertList(value, ancestors);
  if (hasMethod(value, "toDict")) return convertMessage(value, ancestors);
  if (types.isNativeError(value) || value instanceof Error)
    return {
      error: cleanText(errorName(value)),
      message: cleanText(String(value.message)),
    };
  if (value instanceof Map) return convertEntries(value.entries(), ancestors);
  if (value instanceof Set) return convertList([...value], ancestors);
  const bytes = bytesOf(value);
  if (bytes !== null) return bytes.toString("base64");
  if (ArrayBuffer.isView(value) && Symbol.iterator in value)
    return convertList([...(value as unknown as Iterable<unknown>)], ancestors);
  if (hasMethod(value, "toJSON")) return convert(value.toJSON(), ancestors);
  if (isBoxed(value)) return convert(value.valueOf(), ancestors);
  if (value instanceof RegExp || value instanceof Promise)
    return stringForm(value);
  return convertEntries(Object.entries(value), ancestors);
}

function convertList(values: unknown[], ancestors: Set<object>): Json[] {
  return Array.from(values, (value) => convert(value, ancestors) ?? null);
}

function convertEntries(
  entries: Iterable<[unknown, unknown]>,
  ancestors: Set<object>,
): { [key: string]: Json } {
  const result: { [key: string]: Json } = {};
  for (const [key, member] of entries) {
    const converted = convert(member, ancestors);
    if (converted !== undefined)
      setOwn(result, cleanText(textOf(key)), converted);
  }
  return result;
}

/** LangChain's messages, by their method: the user's copy of LangChain need not be ours. */
function convertMessage(
  message: { toDict(): unknown },
  ancestors: Set<object>,
): Json | undefined {
  const dict = message.toDict();
  if (!isMessageDict(dict)) return convert(dict, ancestors);
  const data = unwrapped(dict.data) as object;
  return convert({ ...data, type: dict.type }, ancestors);
}

/** LangChain wraps the data of a message that looks like an envelope of its own. */
const WRAPPER = "__lc_escaped__";

function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== "object" || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value);
  return entries.length === 1 && entries[0]?.[0] === WRAPPER
    ? (entries[0][1] as unknown)
    : Object.fromEntries(entries.map(([key, of]) => [key, unwrapped(of)]));
}

function isMessageDict(dict: unknown): dict is { type: string; data: object } {
  if (typeof dict !== "object" || dict === null) return false;
  const { type, data } = dict as { type?: unknown; data?: unknown };
  return typeof type === "string" && typeof data === "object" && data !== null;
}

function hasMethod<Name extends string>(
  value: object,
  name: Name,
): value is Record<Name, () => unknown> {
  return typeof (value as Record<string, unknown>)[name] === "function";
}

/** Typed arrays of numbers are lists; only these are bytes. */
function bytesOf(value: object): Buffer | null {
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return Buffer.from(value);
  if (
    value instanceof Uint8Array ||
    value instanceof Uint8ClampedArray ||
    value instanceof DataView
  )
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return null;
}

const isBoxed = (value: object): boolean =>
  value instanceof String ||
  value instanceof Number ||
  value instanceof Boolean ||
  value instanceof BigInt;

/** `__proto__` is a key like any other in JSON; an assignment would set the prototype. */
function setOwn(target: object, key: string, value: Json): void {
  if (key !== "__proto__") {
    (target as Record<string, Json>)[key] = value;
    return;
  }
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

const UNSAFE = /[\0\ud800-\udfff]/;

/** NUL breaks databases, a lone surrogate breaks the JSON parsers of other languages. */
export function cleanText(text: string): string {
  return UNSAFE.test(text) ? wellFormed(text.replaceAll("\0", "\ufffd")) : text;
}

// `lib` ES2023 does not know it; Node has had it since 20.0.
const wellFormed = (text: string): string =>
  (text as unknown as { toWellFormed(): string }).toWellFormed();

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : stringForm(value);

function stringForm(value: unknown): string {
  try {
    return cleanText(String(value));
  } catch {
    return Object.prototype.toString.call(value); // an object without a prototype
  }
}
