import { expect, test } from "vitest";
import { deferred } from "./deferred.ts";
import { KeyedQueue } from "./keyed-queue.ts";

test("work on one key waits for its turn, also after a failure", async () => {
  const queue = new KeyedQueue();
  const first = deferred<string>();
  const done: string[] = [];
  const record = (name: string) => async () => void done.push(name);
  const failing = queue.run("a", () => first.promise);
  const waiting = [queue.run("a", record("2")), queue.run("a", record("3"))];
  await queue.run("b", record("other key"));
  expect(done).toEqual(["other key"]);
  first.reject(new Error("failed"));
  await expect(failing).rejects.toThrow("failed");
  await Promise.all(waiting);
  expect(done).toEqual(["other key", "2", "3"]);
});

test("what comes while the last one ends waits for it", async () => {
  const queue = new KeyedQueue();
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running -= 1;
  };
  for (let round = 0; round < 20; round += 1) {
    const two = [queue.run("a", work), queue.run("a", work)];
    await two[0];
    await Promise.all([...two, queue.run("a", work)]);
  }
  expect(most).toBe(1);
});
