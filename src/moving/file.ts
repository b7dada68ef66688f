import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { PassThrough, type Transform } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { badRequest } from "../model/errors.ts";
import type { Row } from "../storage/table-rows.ts";

/*
 * The file that is moved: JSON lines, in UTF-8, gzipped when its name ends in
 * `.gz`. The first line is the header, the last one the end, which says how many rows of
 * each table came between them. Every line stands for itself.
 */

/** Raised when an older Spool could not read the file any more. */
export const FORMAT = 1;

export interface Header {
  spool: "export";
  format: number;
  /** The number of the newest migration of the database. */
  schema: number;
  export_id: string;
  exported_at: string;
  version: string;
  source: string;
}

export interface RowLine {
  table: string;
  row: Row;
}

export interface EndLine {
  end: { rows: Record<string, number> };
}

const isZipped = (path: string): boolean => path.endsWith(".gz");

/**
 * Writes the lines; a file has its name only when it is whole. Memory holds a
 * few lines at a time, however fast the lines come.
 */
export async function writeLines(
  path: string,
  lines: AsyncIterable<unknown>,
): Promise<void> {
  const partial = `${path}.partial`;
  const out = createWriteStream(partial, { mode: 0o600 });
  try {
    const sink: Transform = isZipped(path) ? createGzip() : new PassThrough();
    const written = pipeline(sink, out);
    // Both are awaited: whichever fails first, the other must not be an unhandled rejection.
    await Promise.all([feed(sink, lines), written]);
    await rename(partial, path);
  } catch (cause) {
    out.destroy();
    await finished(out).catch(() => {});
    await rm(partial, { force: true });
    throw cause;
  }
}

async function feed(
  sink: Transform,
  lines: AsyncIterable<unknown>,
): Promise<void> {
  try {
    for await (const line of lines)
      if (!sink.write(`${JSON.stringify(line)}\n`)) await once(sink, "drain");
    sink.end();
  } catch (cause) {
    sink.destroy(cause as Error);
    throw cause;
  }
}

/** The lines as text, without their ends. Not by node:readline: it takes U+2028, which JSON may hold, for the end of a line. */
export async function* readLines(path: string): AsyncGenerator<string> {
  try {
    yield* linesOf(path);
  } catch (cause) {
    const { code = "" } = cause as { code?: string };
    if (code === "ENOENT") throw badRequest(`there is no file ${path}`);
    if (!code.startsWith("Z_")) throw cause;
    throw badRequest(`${path} is cut off, or not gzipped as its name says`, {
      cause,
    });
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const source = isZipped(path) ? file.pipe(createGunzip()) : file;
  file.on("error", (cause) => source.destroy(cause));
  let rest: Buffer[] = [];
  for await (const chunk of source as AsyncIterable<Buffer>) {
    let start = 0;
    for (
      let end = chunk.indexOf(10);
      end !== -1;
      end = chunk.indexOf(10, start)
    ) {
      rest.push(chunk.subarray(start, end));
      yield Buffer.concat(rest).toString("utf8");
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString("utf8");
}
