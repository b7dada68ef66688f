import { hash } from "node:crypto";
import { isObject, type Json } from "../lib/json.ts";
import { json } from "./sql.ts";

/*
 * How the JSON text of long values is cut into pages. What has to hold: the
 * texts of all pages in their order are the text of the values; and a page
 * ends where it does because of what is in front of that place in its channel,
 * never because of what comes after. So a list that grows leaves all pages as
 * they are, but for its last, and channels do not move each other's.
 */

/** A part of the values' text. Pages are in the order of their channel, then of their number. */
export interface ValuePage {
  /** Which member of the values it belongs to; the first of them, where short ones share a page. */
  channel_no: number;
  page_no: number;
  /** Of the text. */
  hash: string;
  text: string;
}

/** In UTF-16 units, as everything here. */
const MAX_INLINE = 32 * 1024;

/** A page ends behind the first element of a list that ends past this. */
const ENOUGH = 4 * 1024;
const MAX_PAGE = 4 * ENOUGH;

/** Between two objects of a list, such as messages. Inside of a string it does no harm. */
const BOUNDARY = "},{";

/** Empty when the values are short enough to be in the row of their thread. */
export function valuePages(values: Json): ValuePage[] {
  const channels = channelTexts(values);
  const length = channels.reduce((sum, text) => sum + text.length, 0);
  if (length <= MAX_INLINE) return [];
  return shared(channels).flatMap(({ channel_no, text }) =>
    cut(text).map((part, page_no) => ({
      channel_no,
      page_no,
      hash: hashOf(part),
      text: part,
    })),
  );
}

/** The text of the values, one part per member: `{"a":1`, `,"b":2}`. */
function channelTexts(values: Json): string[] {
  if (!isObject(values)) return [json(values).toText()];
  const members = Object.entries(values)
    .map(([name, value]) =>
      json({ [name]: value })
        .toText()
        .slice(1, -1),
    )
    .filter((member) => member !== "");
  if (members.length === 0) return ["{}"];
  const last = members.length - 1;
  return members.map(
    (member, index) =>
      (index === 0 ? "{" : ",") + member + (index === last ? "}" : ""),
  );
}

type Part = Pick<ValuePage, "channel_no" | "text">;

/** Neighbours that are short are put together; a long channel stands alone. */
function shared(channels: readonly string[]): Part[] {
  const parts: Part[] = [];
  channels.forEach((text, channel_no) => {
    const before = parts.at(-1);
    if (before !== undefined && before.text.length + text.length <= ENOUGH)
      before.text += text;
    else parts.push({ channel_no, text });
  });
  return parts;
}

function cut(text: string): string[] {
  const pages: string[] = [];
  let rest = text;
  for (let end = endOf(rest); end !== null; end = endOf(rest)) {
    pages.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  if (rest !== "") pages.push(rest);
  return pages;
}

/** Where the first page of the text ends; null when all of it is one. */
function endOf(text: string): number | null {
  const found = text.slice(ENOUGH, MAX_PAGE).indexOf(BOUNDARY);
  if (found >= 0) return ENOUGH + found + "},".length;
  if (text.length <= MAX_PAGE) return null;
  return isHighSurrogate(text.charCodeAt(MAX_PAGE - 1))
    ? MAX_PAGE - 1 // half a character would not survive UTF-8
    : MAX_PAGE;
}

const isHighSurrogate = (unit: number): boolean =>
  unit >= 0xd800 && unit <= 0xdbff;

/** 128 bits; ours are compared with ours only. */
const hashOf = (text: string): string =>
  hash("sha256", text, "base64url").slice(0, 22);
