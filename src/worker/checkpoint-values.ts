import { hash as digest } from "node:crypto";
import {
  DeltaSnapshot,
  isDeltaSnapshot,
  type SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import { pageText, parsePage, type PageEntry } from "../lib/ref-page.ts";
import type { StoredValue, ValueRef } from "../protocol/checkpoint-frames.ts";

/*
 * Channel values to refs and stored values, and back. A value is known by a
 * hash of what it serialises to at this moment, so an object that was changed
 * in place is another value, and one that was not is stored already.
 */

/** Values below this many bytes of JSON stay in the checkpoint row: a row of their own would cost more. */
const INLINE_BYTES = 512;

/** List elements up to this stay in their page: about what a hash takes there. */
const INLINE_ELEMENT_BYTES = 48;

/** An append writes the last page again, half of this on average, and one hash per page into the checkpoint. */
const PAGE_ELEMENTS = 64;

/** 144 bits: no two values of a thread meet by accident, and none can be made to. */
const HASH_CHARACTERS = 24;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Serialized = [type: string, data: Uint8Array];

export interface EncodedChannels {
  channels: Record<string, ValueRef>;
  /** All that the channels refer to, by hash. */
  values: Map<string, StoredValue>;
}

/** Serialises every value before it first waits, so that nothing can change in between. */
export async function encodeChannels(
  serde: SerializerProtocol,
  channelValues: Record<string, unknown>,
): Promise<EncodedChannels> {
  const pending = Object.entries(channelValues).map(
    ([channel, value]) => [channel, serialize(serde, value)] as const,
  );
  const values = new Map<string, StoredValue>();
  const channels: [string, ValueRef][] = [];
  for (const [channel, serialized] of pending) {
    const ref = encode(await serialized, values);
    if (ref !== null) channels.push([channel, ref]);
  }
  return { channels: Object.fromEntries(channels), values };
}

type SerializedValue =
  { whole: Serialized } | { elements: Serialized[]; snapshot: boolean };

async function serialize(
  serde: SerializerProtocol,
  value: unknown,
): Promise<SerializedValue> {
  const snapshot = isDeltaSnapshot(value);
  const list = snapshot ? value.value : value;
  if (!Array.isArray(list)) return { whole: await dump(serde, value) };
  const elements = Array.from(list, (element: unknown) => dump(serde, element));
  return { elements: await Promise.all(elements), snapshot };
}

/** The serializer hands bytes through as they are; only a copy cannot change any more. */
export const dump = (
  serde: SerializerProtocol,
  value: unknown,
): Promise<[type: string, data: Uint8Array]> =>
  serde.dumpsTyped(value instanceof Uint8Array ? new Uint8Array(value) : value);

/** Null for what has no JSON, such as a function. */
function encode(
  value: SerializedValue,
  values: Map<string, StoredValue>,
): ValueRef | null {
  if ("elements" in value) return encodeList(value, values);
  const [type, data] = value.whole;
  if (type === "bytes") return { hash: store("bytes", data, values) };
  if (data.length === 0) return null;
  return data.length < INLINE_BYTES
    ? { json: decoder.decode(data) }
    : { hash: store("json", data, values) };
}

function encodeList(
  { elements, snapshot }: { elements: Serialized[]; snapshot: boolean },
  values: Map<string, StoredValue>,
): ValueRef {
  const mark = snapshot ? ({ snapshot: true } as const) : {};
  if (isSmall(elements)) {
    const json = `[${elements.map(jsonOf).join()}]`;
    return { json: snapshot ? snapshotJson(json) : json };
  }
  const pages: string[] = [];
  for (let start = 0; start < elements.length; start += PAGE_ELEMENTS) {
    const entries = elements
      .slice(start, start + PAGE_ELEMENTS)
      .map((element) => encodeElement(element, values));
    pages.push(store("page", encoder.encode(pageText(entries)), values));
  }
  return { pages, length: elements.length, ...mark };
}

function isSmall(elements: readonly Serialized[]): boolean {
  let bytes = 0;
  for (const [type, data] of elements) {
    bytes += data.length + 1;
    if (type === "bytes" || bytes >= INLINE_BYTES) return false;
  }
  return true;
}

function encodeElement(
  element: Serialized,
  values: Map<string, StoredValue>,
): PageEntry {
  const [type, data] = element;
  if (type === "bytes") return { hash: store("bytes", data, values) };
  return data.length <= INLINE_ELEMENT_BYTES
    ? { json: jsonOf(element) }
    : { hash: store("json", data, values) };
}

/** What has no JSON is null inside of a list, as `JSON.stringify` has it. */
const jsonOf = ([, data]: Serialized): string =>
  data.length === 0 ? "null" : decoder.decode(data);

/** As LangGraph's serializer writes a snapshot. */
const snapshotJson = (json: string): string =>
  `{"lc":2,"type":"delta_snapshot","value":${json}}`;

function store(
  type: StoredValue["type"],
  data: Uint8Array,
  values: Map<string, StoredValue>,
): string {
  // The type is part of the name: the same bytes may be JSON and a binary value.
  const hash =
    type.slice(0, 1) +
    digest("sha256", data, "base64url").slice(0, HASH_CHARACTERS);
  values.set(hash, { hash, type, data });
  return hash;
}

/** Throws when a value is not among `values`: a hole must not look like an empty channel. */
export async function decodeValue(
  serde: SerializerProtocol,
  ref: ValueRef,
  values: ReadonlyMap<string, StoredValue>,
): Promise<unknown> {
  if ("json" in ref) return serde.loadsTyped("json", ref.json);
  if ("hash" in ref) return load(serde, require(values, ref.hash));
  const entries = ref.pages.flatMap((page) =>
    parsePage(require(values, page).data),
  );
  const list = await Promise.all(
    entries.map((entry) =>
      "json" in entry
        ? serde.loadsTyped("json", entry.json)
        : load(serde, require(values, entry.hash)),
    ),
  );
  return ref.snapshot === true ? new DeltaSnapshot(list) : list;
}

function require(
  values: ReadonlyMap<string, StoredValue>,
  hash: string,
): StoredValue {
  const value = values.get(hash);
  if (value === undefined)
    throw new Error(`the stored value ${hash} of a checkpoint is missing`);
  return value;
}

/** Bytes are copied out of the frame that brought them, which would else stay in memory with them. */
const load = (
  serde: SerializerProtocol,
  { type, data }: StoredValue,
): Promise<unknown> =>
  serde.loadsTyped(type, type === "bytes" ? new Uint8Array(data) : data);
