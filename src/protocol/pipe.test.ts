import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { deferred } from "../lib/deferred.ts";
import type { Frame } from "./frames.ts";
import { memoryPipe, Pipe } from "./pipe.ts";

/** Ends whatever the test opened. */
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const notice = (params: unknown, method = "log"): Frame => ({
  t: "notice",
  method,
  params,
});

/** What a pipe wrote, as bytes. */
async function bytesOf(...frames: Frame[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const pipe = new Pipe(
    new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        done();
      },
    }),
  );
  for (const frame of frames) await pipe.send(frame);
  await new Promise(setImmediate); // they leave together at the end of the turn
  return Buffer.concat(chunks);
}

/** A pipe that gets exactly the chunks it is given. */
function reader() {
  const stream = new Duplex({ read() {}, write: (_c, _e, done) => done() });
  cleanups.push(() => stream.destroy());
  const frames: Frame[] = [];
  const closed = deferred<Error | undefined>();
  new Pipe(stream).receive((frame) => frames.push(frame), closed.resolve);
  return { stream, frames, closed: closed.promise };
}

/** Until `isTrue`, looking again each turn of the event loop. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const here = connect(port, "127.0.0.1");
  const [there] = (await once(server, "connection")) as [Socket];
  server.close();
  cleanups.push(
    () => here.destroy(),
    () => there.destroy(),
  );
  return [here, there];
}

const kinds = {
  memory: async () => memoryPipe(),
  socket: async () => {
    const [here, there] = await socketPair();
    return [new Pipe(here), new Pipe(there)] as [Pipe, Pipe];
  },
};

test("an object may have any number of members", async () => {
  const members = Array.from({ length: 70_000 }, (_, index) => [index, index]);
  const params = Object.fromEntries(members) as object;
  const { stream, frames } = reader();
  stream.push(await bytesOf(notice(params)));
  await until(() => frames.length === 1);
  expect(frames).toEqual([notice(params)]);
});

describe("frames", () => {
  test("are whole again wherever their bytes were cut", async () => {
    const sent = [
      notice({ n: 1, text: "ä€😀" }),
      notice(new Uint8Array([0, 255])),
    ];
    const bytes = await bytesOf(...sent);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { stream, frames } = reader();
      stream.push(bytes.subarray(0, cut));
      stream.push(bytes.subarray(cut));
      await until(() => frames.length === 2);
      expect(frames[0]).toEqual(sent[0]);
      expect(frames[1]).toMatchObject({ method: "log" });
    }
  });

  test("are whole again from single bytes", async () => {
    const sent = notice({ list: [1, 2, 3], nested: { a: null } });
    const { stream, frames } = reader();
    for (const byte of await bytesOf(sent)) stream.push(Buffer.from([byte]));
    await until(() => frames.length === 1);
    expect(frames).toEqual([sent]);
  });

  test("come in order, however many are in a chunk", async () => {
    const sent = Array.from({ length: 1000 }, (_, n) => notice({ n }));
    const { stream, frames } = reader();
    stream.push(await bytesOf(...sent));
    await until(() => frames.length === sent.length);
    expect(frames).toEqual(sent);
  });

  test("carry all that JSON has, and bytes", async () => {
    const [here, there] = memoryPipe();
    const params = {
      text: "",
      numbers: [0, -1, 1.5, 2 ** 53 - 1, -(2 ** 53), 1e300],
      flags: [true, false, null],
      empty: [{}, []],
      keys: { "": 1, "a.b": 2, ünïcode: 3 },
      long: "x".repeat(100_000),
      deep: Array.from({ length: 200 }).reduce((inner) => ({ inner }), null),
    };
    const got = deferred<Frame>();
    there.receive(got.resolve, () => {});
    await here.send(notice({ ...params, bytes: new Uint8Array([1, 2]) }));
    const frame = (await got.promise) as Frame & {
      params: typeof params & { bytes: Uint8Array };
    };
    expect(frame.params).toMatchObject(params);
    expect([...frame.params.bytes]).toEqual([1, 2]);
  });

  test("that are not MessagePack close the pipe with an error", async () => {
    const { stream, closed } = reader();
    stream.push(Buffer.from([0, 0, 0, 2, 0xc1, 0xc1]));
    expect(await closed).toBeInstanceOf(Error);
    expect(stream.destroyed).toBe(true);
  });
});

describe("a frame that is too large", () => {
  test("is refused by its sender with its name and size, and the pipe goes on", async () => {
    const [here, there] = memoryPipe({ maxFrameBytes: 1000 });
    const frames: Frame[] = [];
    there.receive(
      (frame) => frames.push(frame),
      () => {},
    );
    await expect(
      here.send(notice("x".repeat(2000), "run.events")),
    ).rejects.toThrow(
      /run\.events is 20\d\d bytes; a frame between server and worker holds at most 1000/,
    );
    await here.send(notice("small"));
    await until(() => frames.length === 1);
    expect(frames).toEqual([notice("small")]);
  });

  test("closes the pipe of a receiver that is told of one", async () => {
    const { stream, closed } = reader();
    stream.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect(await closed).toMatchObject({
      message: expect.stringContaining("an incoming frame is 4294967295 bytes"),
    });
    expect(stream.destroyed).toBe(true);
  });
});

describe.each(Object.entries(kinds))("over %s", (_name, open) => {
  test("both ends send and receive", async () => {
    const [here, there] = await open();
    const got: Frame[] = [];
    here.receive(
      (frame) => got.push(frame),
      () => {},
    );
    there.receive(
      (frame) => void there.send(frame),
      () => {},
    );
    await Promise.all([1, 2, 3].map((n) => here.send(notice(n))));
    await until(() => got.length === 3);
    expect(got).toEqual([notice(1), notice(2), notice(3)]);
    here.close();
  });

  test("a sender waits while the reader is paused, and goes on when it resumes", async () => {
    const [here, there] = await open();
    let received = 0;
    there.receive(
      () => received++,
      () => {},
    );
    there.pause();
    const chunk = notice("x".repeat(64 * 1024));
    let sent = 0;
    const total = 2000; // 128 MB: more than any kernel buffers
    const sending = (async () => {
      for (; sent < total; sent++) await here.send(chunk);
    })();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(total);
    there.resume();
    await sending;
    await until(() => received === total);
    here.close();
  });

  test("closing one end closes the other, once, without an error", async () => {
    const [here, there] = await open();
    const ends: (Error | undefined)[] = [];
    here.receive(
      () => {},
      (error) => ends.push(error),
    );
    there.receive(
      () => {},
      (error) => ends.push(error),
    );
    here.close();
    await until(() => ends.length === 2);
    there.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ends).toEqual([undefined, undefined]);
  });

  test("a frame sent before the close arrives", async () => {
    const [here, there] = await open();
    const got: Frame[] = [];
    there.receive(
      (frame) => got.push(frame),
      () => {},
    );
    await here.send(notice("last words"));
    await until(() => got.length === 1);
    here.close();
    expect(got).toEqual([notice("last words")]);
  });

  test("a sender whose reader dies is released", async () => {
    const [here, there] = await open();
    here.receive(
      () => {},
      () => {},
    );
    there.receive(
      () => {},
      () => {},
    );
    there.pause();
    const sends = Array.from({ length: 1000 }, () =>
      here.send(notice("x".repeat(64 * 1024))),
    );
    there.close();
    await Promise.all(sends);
    // Nor does one that comes later wait for somebody who is gone.
    await here.send(notice("x".repeat(64 * 1024)));
    here.close();
    await here.send(notice("x".repeat(64 * 1024)));
  });
});
