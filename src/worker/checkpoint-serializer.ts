import * as messages from "@langchain/core/messages";
import {
  DeltaSnapshot,
  JsonPlusSerializer,
} from "@langchain/langgraph-checkpoint";

/*
 * State holds what clients sent, so what is stored is never an instruction.
 * LangChain's `load` constructs any class of its packages that an envelope
 * `{lc: 1, type: "constructor", id, kwargs}` names, and throws on one that it
 * does not know: such a value in a state would run code of the sender's
 * choice, or make the thread unreadable for ever. Here messages come back as
 * messages, LangGraph's own values as themselves, and all else as it is.
 */
export class CheckpointSerializer extends JsonPlusSerializer {
  override async loadsTyped(
    type: string,
    data: Uint8Array | string,
  ): Promise<unknown> {
    if (type !== "json") return super.loadsTyped(type, data);
    const text = typeof data === "string" ? data : decoder.decode(data);
    const value: unknown = JSON.parse(text);
    return text.includes('"lc"') ? revive(value, false) : value;
  }
}

const decoder = new TextDecoder();

type Members = Record<string, unknown>;

/** Members of a message carry one more kind of envelope: LangChain wraps in it what only looks like one. */
function revive(value: unknown, isInMessage: boolean): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((item) => revive(item, isInMessage));
  const members = value as Members;
  if (members["lc"] === 1) return messageOf(members) ?? members;
  if (isInMessage && isEscaped(members)) return members[ESCAPED];
  // fromEntries defines members, so `__proto__` is one like any other.
  const revived: Members = Object.fromEntries(
    Object.entries(members).map(([key, member]) => [
      key,
      revive(member, isInMessage),
    ]),
  );
  return revived["lc"] === 2 ? langGraphValue(revived) : revived;
}

const ESCAPED = "__lc_escaped__";

const isEscaped = (members: Members): boolean =>
  Object.hasOwn(members, ESCAPED) && Object.keys(members).length === 1;

/** Null when the envelope is not one of a message, or of none that its class accepts. */
function messageOf({ type, id, kwargs }: Members): object | null {
  if (type !== "constructor" || !Array.isArray(id)) return null;
  if (typeof kwargs !== "object" || kwargs === null) return null;
  const [root, namespace, name] = id as unknown[];
  if (root !== "langchain_core" || namespace !== "messages") return null;
  const Message = id.length === 3 ? messageClass(name) : null;
  if (Message === null) return null;
  try {
    return new Message(fieldsOf(Message, revive(kwargs, true) as Members));
  } catch {
    return null;
  }
}

const BASE: object = messages.BaseMessage.prototype;

type MessageClass = new (fields: unknown) => object;

function messageClass(name: unknown): MessageClass | null {
  if (typeof name !== "string" || !Object.hasOwn(messages, name)) return null;
  const found = (messages as Record<string, unknown>)[name];
  // NOTE: `instanceof` asks BaseMessage for a mark that only instances have.
  const isMessage =
    typeof found === "function" &&
    Object.prototype.isPrototypeOf.call(BASE, found.prototype as object);
  return isMessage && !name.startsWith("Base") ? (found as MessageClass) : null;
}

/** Messages are written with their fields in snake case, and made from camel case but for those that they name. */
function fieldsOf(Message: MessageClass, kwargs: Members): Members {
  const names = fieldNamesOf(Message);
  return Object.fromEntries(
    Object.entries(kwargs).map(([written, value]) => [
      names.get(written) ?? camelCase(written),
      value,
    ]),
  );
}

/** Written name -> field. Asking a class for them takes longer than all else about a message. */
const fieldNames = new WeakMap<MessageClass, ReadonlyMap<string, string>>();

function fieldNamesOf(Message: MessageClass): ReadonlyMap<string, string> {
  const known = fieldNames.get(Message);
  if (known !== undefined) return known;
  const names = new Map<string, string>();
  for (
    let current = Message.prototype as LangChainPrototype | null;
    current !== null;
    current = Object.getPrototypeOf(current) as LangChainPrototype | null
  )
    for (const [field, written] of Object.entries(current.lc_aliases ?? {}))
      names.set(written, field);
  fieldNames.set(Message, names);
  return names;
}

interface LangChainPrototype {
  lc_aliases?: Record<string, string>;
}

const camelCase = (name: string): string =>
  name.replaceAll(/_+([a-z0-9])/g, (_, start: string) => start.toUpperCase());

/** What LangGraph's serializer writes for values that JSON does not have; anything else stays as it is. */
function langGraphValue(members: Members): unknown {
  if (members["type"] === "undefined") return undefined;
  if (members["type"] === "delta_snapshot" && Object.hasOwn(members, "value"))
    return new DeltaSnapshot(members["value"]);
  return members["type"] === "constructor"
    ? (builtIn(members) ?? members)
    : members;
}

function builtIn({ id, method, args }: Members): object | null {
  if (!Array.isArray(id) || id.length !== 1 || !Array.isArray(args))
    return null;
  const name = id[0] as unknown;
  const build =
    typeof name === "string" && Object.hasOwn(BUILT_INS, name)
      ? BUILT_INS[name]
      : undefined;
  const isPlain = (method ?? null) === null;
  if (!isPlain && !(name === "Uint8Array" && method === "from")) return null;
  try {
    return build?.(args) ?? null;
  } catch {
    return null; // a pattern that is no regular expression
  }
}

type Build = (args: unknown[]) => object | null;

/** Each gives null for arguments that the serializer never writes. */
const BUILT_INS: Readonly<Record<string, Build>> = {
  Set: ([items]) => (Array.isArray(items) ? new Set(items) : null),
  Map: ([entries]) => (isEntries(entries) ? new Map(entries) : null),
  RegExp: ([source, flags]) =>
    typeof source === "string" && typeof flags === "string"
      ? new RegExp(source, flags)
      : null,
  Error: ([message]) =>
    typeof message === "string" ? new Error(message) : null,
  Uint8Array: ([bytes]) => (isBytes(bytes) ? Uint8Array.from(bytes) : null),
};

const isEntries = (value: unknown): value is [unknown, unknown][] =>
  Array.isArray(value) &&
  value.every((entry) => Array.isArray(entry) && entry.length === 2);

const isBytes = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.every(
    (byte) => Number.isInteger(byte) && Number(byte) >= 0 && Number(byte) < 256,
  );
