import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../lib/json.ts";
import { valuePages, type ValuePage } from "./value-pages.ts";

const text = (pages: readonly ValuePage[]) =>
  pages.map((page) => page.text).join("");

const message = (index: number, size = 1000) => ({
  type: "ai",
  content: `${index} `.repeat(size).slice(0, size),
});

const messages = (count: number, size?: number) =>
  Array.from({ length: count }, (_, index) => message(index, size));

/** Those of `after` that are not in the same place in `before`. */
function changed(before: Json, after: Json): ValuePage[] {
  const hashes = new Map(
    valuePages(before).map((page) => [
      `${page.channel_no}/${page.page_no}`,
      page.hash,
    ]),
  );
  return valuePages(after).filter(
    (page) => hashes.get(`${page.channel_no}/${page.page_no}`) !== page.hash,
  );
}

describe("valuePages", () => {
  it.each([null, true, 0, "", {}, [], { a: 1 }, { m: messages(20) }])(
    "leaves what is short in one piece",
    (values) => {
      expect(valuePages(values)).toEqual([]);
    },
  );

  it("joined, gives the text of the values, whatever is in them", () => {
    const filler = { type: "ai", content: "},{🙂".repeat(3000) };
    const member = fc.oneof(
      fc.jsonValue(),
      fc.constant(filler),
      fc.constant("🙂é\0".repeat(9000)),
      fc.array(fc.constant(filler), { maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), member), (some) => {
        const values = { ...some, "": messages(40) } as Json;
        const pages = valuePages(values);
        const plain = JSON.stringify(values).replaceAll("\\u0000", "\ufffd");
        expect(text(pages)).toBe(plain);
      }),
      { numRuns: 50 },
    );
  });

  it("takes values that are no object, and names that objects have already", () => {
    const list = messages(50);
    expect(text(valuePages(list))).toBe(JSON.stringify(list));
    const long = "x".repeat(50_000);
    expect(text(valuePages(long))).toBe(JSON.stringify(long));
    const odd = JSON.parse(
      `{"__proto__": "${long}", "constructor": 1}`,
    ) as Json;
    expect(text(valuePages(odd))).toBe(JSON.stringify(odd));
  });

  it("never cuts a character in two, and no page is too long", () => {
    for (const shift of ["", "a"]) {
      const values = { text: shift + "🙂".repeat(30_000) };
      const pages = valuePages(values);
      expect(pages.length).toBeGreaterThan(3);
      for (const page of pages) {
        expect(page.text.length).toBeLessThanOrEqual(16 * 1024);
        expect(Buffer.from(page.text).toString()).toBe(page.text);
      }
      expect(text(pages)).toBe(JSON.stringify(values));
    }
  });

  it("ends pages between messages", () => {
    const pages = valuePages({ messages: messages(100) });
    for (const page of pages.slice(0, -1)) expect(page.text).toMatch(/\},$/);
  });

  it.each([10, 1000, 30_000])(
    "changes the end only when a list of elements of %i characters grows",
    (size) => {
      const count = Math.ceil(120_000 / size);
      for (let more = 1; more < 20; more += 1) {
        const before = messages(count + more, size);
        const after = [...before, message(count + more, size)];
        const moved = changed({ messages: before }, { messages: after });
        expect(text(moved).length).toBeLessThan(size + 40_000);
        expect(moved.length).toBeLessThanOrEqual(2 + Math.ceil(size / 16_384));
      }
    },
  );

  it("keeps the pages of a long channel when one before it grows", () => {
    const documents = messages(100);
    const state = (turn: number, count: number) => ({
      turn,
      messages: messages(count),
      documents,
      done: true,
    });
    const moved = changed(state(9, 100), state(10, 110));
    expect(moved.map((page) => page.channel_no)).not.toContain(2);
    expect(moved.length).toBeLessThanOrEqual(5);
  });

  it("lets many short channels share pages", () => {
    const values = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`key${index}`, index]),
    );
    const pages = valuePages({ ...values, text: "x".repeat(30_000) });
    expect(pages.length).toBeLessThan(10);
  });
});
