import { lookup, type LookupAddress } from "node:dns";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";

export interface JsonPost {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Of an address that the name of the host leads to: what is wrong with it, or null. An address in the URL itself is the caller's to check. */
  problemWithAddress: (address: string) => string | null;
  signal: AbortSignal;
}

export interface PostAnswer {
  status: number;
  /** Of a redirect, as it came. */
  location: string | null;
  /** As it came. */
  retryAfter: string | null;
}

/** The host's name led only to addresses that may not be connected to. */
export class RefusedAddressError extends Error {
  override readonly name = "RefusedAddressError";
}

/** The answer's body tells us nothing; this much of it is read, so that the other side can finish its sentence. */
const MAX_READ_BYTES = 65_536;
const MAX_READ_MS = 1000;

/**
 * One request on a connection of its own, and no redirect followed. The
 * addresses that are checked are those that are connected to, so a name that
 * leads elsewhere the second time gains nothing.
 */
export function postJson(post: JsonPost): Promise<PostAnswer> {
  const { url, body, signal } = post;
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: "POST",
      headers: {
        ...post.headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
      lookup: checkedLookup(post),
      agent: false,
      signal,
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const { statusCode = 0, headers } = response;
      let bytes = 0;
      const timer = setTimeout(() => response.destroy(), MAX_READ_MS);
      response.on("close", () => clearTimeout(timer));
      response.on("error", () => {}); // the status is all that counts
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_READ_BYTES) response.destroy();
      });
      resolve({
        status: statusCode,
        location: headers.location ?? null,
        retryAfter: headers["retry-after"] ?? null,
      });
    });
    request.end(body);
  });
}

const checkedLookup =
  ({ problemWithAddress }: JsonPost): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      const fine = found.filter(
        ({ address }) => problemWithAddress(address) === null,
      );
      const [first] = fine;
      if (first === undefined)
        return callback(refusedName(hostname, found, problemWithAddress), "");
      if (options.all === true) callback(null, fine);
      else callback(null, first.address, first.family);
    });
  };

function refusedName(
  hostname: string,
  [first]: LookupAddress[],
  problemWithAddress: JsonPost["problemWithAddress"],
): RefusedAddressError {
  const problem = problemWithAddress(first?.address ?? "");
  return new RefusedAddressError(`${hostname} ${problem ?? "has no address"}`);
}
