import { deflateSync, brotliCompressSync, gzipSync } from "node:zlib";
import { describe } from "vitest";
import { NOBODY } from "../../support/sdk.ts";
import { BadInputApp, nested, type BadRequest } from "../../support/bad-input.ts"; // prettier-ignore

/** Every endpoint with a body; the ids do not matter, since bodies are checked before anything is looked up. */
const ENDPOINTS = [
  "POST /threads",
  "POST /threads/search",
  "POST /threads/count",
  "POST /threads/prune",
  `PATCH /threads/${NOBODY}`,
  `PATCH /threads/${NOBODY}/state`,
  `POST /threads/${NOBODY}/state`,
  `POST /threads/${NOBODY}/state/checkpoint`,
  `POST /threads/${NOBODY}/history`,
  `POST /threads/${NOBODY}/runs`,
  `POST /threads/${NOBODY}/runs/wait`,
  `POST /threads/${NOBODY}/runs/stream`,
  "POST /runs",
  "POST /runs/wait",
  "POST /runs/stream",
  "POST /runs/cancel",
  "POST /assistants",
  "POST /assistants/search",
  "POST /assistants/count",
  `PATCH /assistants/${NOBODY}`,
  `POST /assistants/${NOBODY}/versions`,
  `POST /assistants/${NOBODY}/latest`,
];

const LIMIT = 700_000;
const app = new BadInputApp({ http: { maxBodyBytes: LIMIT } });

const badUtf8 = Buffer.concat([
  Buffer.from('{"metadata": {"a": "'),
  Buffer.from([0xc3, 0x28]),
  Buffer.from('"}}'),
]);
const overlong = Buffer.from([0x22, 0xc0, 0xaf, 0x22]);
const large = JSON.stringify({ metadata: { a: "x".repeat(LIMIT) } });
const small = JSON.stringify({ metadata: {} });
const tooLarge = { status: 413, detail: "the request body is larger than" };
const gzip = { "content-encoding": "gzip" };

const bodies: Record<string, Omit<BadRequest, "path" | "method">> = {
  "JSON that ends too soon": { body: '{"metadata":', detail: "body: is not valid JSON" }, // prettier-ignore
  "two values": { body: "{}{}", detail: "body: is not valid JSON" },
  "single quotes": { body: "{'a':1}", detail: "body: is not valid JSON" },
  "a number that is none": { body: '{"a":NaN}', detail: "body: is not valid JSON" }, // prettier-ignore
  "a bare control character": { body: '{"a":"\u0000"}', detail: "body: is not valid JSON" }, // prettier-ignore
  "a text": { body: '"text"', detail: "body: expected object" },
  "a list": { body: "[]", detail: "body: expected object" },
  null: { body: "null", detail: "body: expected object" },
  "malformed UTF-8": { body: badUtf8, detail: "body: is not valid UTF-8" },
  "overlong UTF-8": { body: overlong, detail: "body: is not valid UTF-8" },
  "UTF-16": { body: Buffer.from(small, "utf16le"), detail: "body: is not valid JSON" }, // prettier-ignore
  "objects nested to 100,000": { body: nested(100_000), detail: "body: is nested deeper than 512 levels" }, // prettier-ignore
  "lists nested to 100,000": { body: "[".repeat(100_000), detail: "body: is nested deeper than 512 levels" }, // prettier-ignore
  "too much": { body: large, ...tooLarge },
  "too much, as gzip": { body: gzipSync(large), headers: gzip, ...tooLarge },
  "too much, as deflate": { body: deflateSync(large), headers: { "content-encoding": "deflate" }, ...tooLarge }, // prettier-ignore
  "too much, as br": { body: brotliCompressSync(large), headers: { "content-encoding": "br" }, ...tooLarge }, // prettier-ignore
  "gzip that ends too soon": { body: gzipSync(small).subarray(0, 15), headers: gzip, detail: "body: is not valid gzip data" }, // prettier-ignore
  "gzip that is none": { body: small, headers: gzip, detail: "body: is not valid gzip data" }, // prettier-ignore
  "an unknown encoding": { body: small, headers: { "content-encoding": "zstd" }, status: 415, detail: "Content-Encoding zstd is not supported" }, // prettier-ignore
  "two encodings": { body: gzipSync(gzipSync(small)), headers: { "content-encoding": "gzip, gzip" }, status: 415, detail: "Content-Encoding gzip, gzip is not supported" }, // prettier-ignore
};

describe.each(ENDPOINTS)("%s", (endpoint) => {
  const [method = "", path = ""] = endpoint.split(" ");
  app.refuseAll(
    Object.fromEntries(
      Object.entries(bodies).map(([name, body]) => [
        name,
        { method, path, ...body },
      ]),
    ),
  );
});
