import { expect, test } from "vitest";
import { portableRow } from "./rows.ts";

test("an item that has vectors is exported as one that is to be embedded, since they stay behind", () => {
  const item = { namespace: "n", key: "k", value: {}, index_paths: ["text"] };
  expect(portableRow("store_items", { ...item, indexed_as: "x" })).toEqual({
    ...item,
    indexed_as: null,
  });
});
