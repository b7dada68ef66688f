import { JsonPlusSerializer } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeValue, encodeChannels } from "./checkpoint-values.ts";

const serde = new JsonPlusSerializer();

async function encode(value: unknown) {
  const { channels, values } = await encodeChannels(serde, { value });
  return { ref: channels["value"], values };
}

/** Through refs and values, and back. */
async function roundTrip(value: unknown): Promise<unknown> {
  const { ref, values } = await encode(value);
  return ref === undefined ? undefined : decodeValue(serde, ref, values);
}

const asWhole = async (value: unknown): Promise<unknown> =>
  serde.loadsTyped(...(await serde.dumpsTyped(value)));

describe("values of channels", () => {
  it("come back as the serializer alone would bring them back", async () => {
    const element = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.string({ minLength: 500, maxLength: 600 }),
      fc.integer(),
      fc.constant(undefined),
      fc.jsonValue(),
      fc.uint8Array({ maxLength: 700 }),
      fc.object({ withMap: true, withSet: true, withTypedArray: false }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(element, fc.array(element, { maxLength: 200 })),
        async (value) => {
          expect(await roundTrip(value)).toEqual(await asWhole(value));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("a list has a hole and a function where the serializer has them", async () => {
    // eslint-disable-next-line no-sparse-arrays -- the hole is what this is about
    const list = ["x".repeat(600), , () => {}, Symbol("s")];
    expect(await roundTrip(list)).toEqual(await asWhole(list));
  });

  it("a function at the top is no value", async () => {
    expect((await encode(() => {})).ref).toBeUndefined();
  });

  it("equal values have one hash, whatever their channel, and the type is part of it", async () => {
    const text = "x".repeat(600);
    const bytes = new TextEncoder().encode(JSON.stringify(text));
    const { channels, values } = await encodeChannels(serde, {
      a: text,
      b: text,
      bytes,
    });
    expect(channels["a"]).toEqual(channels["b"]);
    expect(channels["a"]).not.toEqual(channels["bytes"]);
    expect(values.size).toBe(2);
  });

  it("a list that grows keeps all of its pages but the last", async () => {
    const list = Array.from({ length: 200 }, (_, index) =>
      `${index}`.repeat(50),
    );
    const before = await encode(list);
    const after = await encode([...list, "more ".repeat(20)]);
    const fresh = [...after.values.keys()].filter(
      (hash) => !before.values.has(hash),
    );
    expect(fresh).toHaveLength(2);
  });

  it("numbers of a long list sit in their pages", async () => {
    const { values } = await encode(Array.from({ length: 640 }, Math.random));
    expect(values.size).toBe(10);
  });

  it("a missing value is an error, never an empty channel", async () => {
    const { ref } = await encode("x".repeat(600));
    if (ref === undefined) throw new Error("expected a ref");
    await expect(decodeValue(serde, ref, new Map())).rejects.toThrow(
      "is missing",
    );
  });
});
