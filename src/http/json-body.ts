import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { HTTPException } from "hono/http-exception";
import { AppError, badRequest, invalid } from "../model/errors.ts";

/** A little more than a single field may have (model/fields.ts), so that its name is told where there is one. What recurses over JSON (zod, JSON.stringify, MessagePack) does it safely at this depth. */
const MAX_DEPTH = 512;

/** The JSON of a request body; `{}` when there is none. Reads the body, so it works once. */
export async function readJsonBody(
  request: Request,
  maxBytes: number,
): Promise<unknown> {
  const bytes = await readBytes(request, maxBytes);
  if (bytes.byteLength === 0) return {};
  return parseJson(decodeText(bytes));
}

async function readBytes(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array> {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) throw tooLarge(maxBytes);
  const encoding = request.headers.get("content-encoding");
  const bytes = await receive(request, length !== null, maxBytes);
  return encoding === null ? bytes : decompress(bytes, encoding, maxBytes);
}

/** With a length given, the HTTP parser lets no more bytes through than that. */
async function receive(
  request: Request,
  hasLength: boolean,
  maxBytes: number,
): Promise<Uint8Array> {
  try {
    return hasLength
      ? new Uint8Array(await request.arrayBuffer())
      : await collect(request, maxBytes);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw badRequest("the request body did not arrive completely", { cause });
  }
}

async function collect(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

type Decompress = (
  bytes: Uint8Array,
  options: { maxOutputLength: number },
) => Promise<Uint8Array>;

const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map([
  ["gzip", promisify(gunzip) as Decompress],
  ["x-gzip", promisify(gunzip) as Decompress],
  ["deflate", promisify(inflate) as Decompress],
  ["br", promisify(brotliDecompress) as Decompress],
]);

async function decompress(
  bytes: Uint8Array,
  encoding: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === "identity" || name === "") return bytes;
  const decompressor = DECOMPRESSORS.get(name);
  if (decompressor === undefined)
    throw new HTTPException(415, {
      message: `Content-Encoding ${name} is not supported; use gzip, deflate or br`,
    });
  try {
    return await decompressor(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE")
      throw tooLarge(maxBytes);
    throw invalid("body", `is not valid ${name} data`);
  }
}

const tooLarge = (maxBytes: number) =>
  new AppError(
    "too_large",
    `the request body is larger than ${maxBytes} bytes; send less, or raise HTTP_MAX_REQUEST_BODY_BYTES`,
  );

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function decodeText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalid("body", "is not valid UTF-8");
  }
}

/** Throws `invalid` when the text is not JSON, or nested too deep. Members such as `__proto__` come out as plain data. */
export function parseJson(text: string): unknown {
  if (text.length > MAX_DEPTH && isTooDeep(text))
    throw invalid("body", `is nested deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(storable(text));
  } catch (cause) {
    throw invalid("body", `is not valid JSON: ${(cause as Error).message}`);
  }
}

/**
 * No database stores NUL in text, and none stores half a surrogate pair in
 * JSON: U+FFFD stands in for both. Whole pairs and escaped backslashes are
 * matched too, so that what only looks like one of them stays as it is.
 */
const storable = (text: string): string =>
  /\\u(?:0000|d)/i.test(text)
    ? text.replace(
        /\\(?:u(?:d[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|0000|d[89a-f][\da-f]{2})|.)/gi,
        (escape) =>
          escape.length === 6 && /^\\u(?:0000|d[89a-f])/i.test(escape)
            ? "\\ufffd"
            : escape,
      )
    : text;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Brackets outside of strings, counted before JSON.parse builds anything. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = endOfString(text, index);
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

/** The index of the closing quote; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, quote: number): boolean {
  let index = quote - 1;
  while (text.charCodeAt(index) === BACKSLASH) index -= 1;
  return (quote - 1 - index) % 2 === 1;
}
