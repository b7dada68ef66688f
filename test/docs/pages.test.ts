/** What the guides point to is there: files, headings, tests, and what they say is missing. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { NOT_YET } from "../../src/http/routes/not-yet.ts";
import { guidePages, readPage, ROOT } from "../support/snippets.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Link {
  text: string;
  file: string;
  anchor: string;
}

/** Of a page, to files of this project. */
const linksOf = (page: string): Link[] =>
  [...read(page).matchAll(/\[([^\]]+)\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)]
    .filter(([, , target = ""]) => !/^[a-z]+:/.test(target))
    .map(([, text = "", target = "", anchor = ""]) => ({
      text,
      file: target === "" ? page : join(dirname(page), target),
      anchor,
    }));

/** As GitHub makes them. */
const anchorsOf = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

describe.each(guidePages())("%s", (page) => {
  test("links to what is there", () => {
    const missing = linksOf(page).filter(
      ({ file, anchor }) =>
        !existsSync(join(ROOT, file)) ||
        (anchor !== "" && !anchorsOf(file).includes(anchor)),
    );
    expect(missing).toEqual([]);
  });

  test("names tests as they are named", () => {
    const wrong = linksOf(page)
      .filter(({ file }) => file.endsWith(".test.ts"))
      .filter(({ text, file }) => !titlesIn(read(file)).includes(text));
    expect(wrong).toEqual([]);
  });

  test("prints code of the examples as it is there", () => {
    const wrong = readPage(page).excerpts.filter(
      ({ path, text }) => !read(path).includes(text),
    );
    expect(wrong).toEqual([]);
  });

  test("shows only JSON that is JSON", () => {
    for (const { language, text } of readPage(page).shown)
      if (language === "json") expect(() => JSON.parse(text)).not.toThrow();
  });
});

const titlesIn = (source: string): string[] =>
  [
    ...source.matchAll(
      /\b(?:test|it)(?:\.\w+\((?:[^()]|\([^()]*\))*\))?\(\s*(["'`])(.+?)\1/g,
    ),
  ].map(([, , title = ""]) => title);

test("the README lists what answers 501, and nothing else", () => {
  const [, list = ""] =
    /these endpoints answer 501[^\n]*\n\n((?:- .+\n)+)/.exec(
      read("README.md"),
    ) ?? [];
  const listed = list
    .trim()
    .split("\n")
    .map((line) => line.slice(2));
  const missing = NOT_YET.map(([what]) => what);
  const words = (texts: string[]) =>
    texts.map((text) => text.toLowerCase()).sort();
  expect(words(listed)).toEqual(words(missing));
});

test("every guide is linked from the README", () => {
  const linked = new Set(linksOf("README.md").map(({ file }) => file));
  const guides = guidePages().filter((page) => page !== "README.md");
  expect(guides.filter((page) => !linked.has(page))).toEqual([]);
});
