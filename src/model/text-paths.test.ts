import { expect, test } from "vitest";
import { textsAt } from "./text-paths.ts";

const VALUE = {
  text: "tea",
  n: 7,
  empty: "",
  nothing: null,
  meta: { title: "Leaves", deep: { note: "green" } },
  tags: ["a", "b", "c"],
  chapters: [{ title: "One" }, { title: "Two", extra: true }, {}],
};

test.each([
  ["text", ["tea"]],
  ["$.text", ["tea"]],
  ["n", ["7"]],
  ["meta.title", ["Leaves"]],
  ["meta.deep", ['{"note":"green"}']],
  ["tags[-1]", ["c"]],
  ["tags[1]", ["b"]],
  ["chapters[*].title", ["One", "Two"]],
  ["meta.*", ["Leaves", '{"note":"green"}']],
  ["{text, meta.deep.note}", ["tea", "green"]],
])("%s is found in an item", (path, texts) => {
  expect(textsAt(VALUE, [path])).toEqual(texts);
});

test("$ is the whole value", () => {
  expect(textsAt({ a: [1] }, ["$"])).toEqual(['{"a":[1]}']);
});

test.each([
  ...["empty", "nothing", "missing", "text.length", "tags[9]", "tags.length"],
  ...["text[0]", "constructor", "[", "meta[0]"],
])("%s finds nothing", (path) => {
  expect(textsAt(VALUE, [path])).toEqual([]);
});

test("a text that several paths find is there once", () => {
  expect(textsAt(VALUE, ["text", "$.text", "n"])).toEqual(["tea", "7"]);
});
