import { describe, expect, it } from "vitest";
import { pageHashes, pageText, parsePage, type PageEntry } from "./ref-page.ts";

const encoder = new TextEncoder();

describe("a page of references", () => {
  const entries: PageEntry[] = [
    { hash: "jA3" },
    { json: '"jA3"' },
    { json: "[1,2]" },
    { json: "null" },
    { hash: "bX-_" },
  ];

  it("is read as it was written", () => {
    expect(parsePage(encoder.encode(pageText(entries)))).toEqual(entries);
  });

  it("names the hashes that it needs, and no text of an element", () => {
    const page = encoder.encode(pageText(entries));
    expect(pageHashes(page)).toEqual(["jA3", "bX-_"]);
  });
});
