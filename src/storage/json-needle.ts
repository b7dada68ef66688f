import { isObject } from "../lib/json.ts";

/** A search for more than this is rare, and no row should be read whole for it. */
export const LONG_NEEDLE = 1000;

/** A string in JSON has quotes; half of its length is what it takes in characters outside of the basic plane. */
const leastString = (text: string): number => text.length / 2 + 2;

/** How many characters the JSON of whatever contains `needle` has at least: every key and every scalar of it must be there once. */
export function leastLength(needle: unknown): number {
  const strings = new Set<string>();
  const others = new Set<unknown>();
  const left = [needle];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === "string") strings.add(value);
    else if (Array.isArray(value)) for (const item of value) left.push(item);
    else if (isObject(value))
      for (const key of Object.keys(value)) {
        strings.add(key);
        left.push(value[key]);
      }
    else others.add(value);
  }
  let length = others.size;
  for (const text of strings) length += leastString(text);
  return Math.floor(length);
}

/** Reads the JSON of a needle once for all rows that it is looked for in. */
export function needleReader(): (text: string) => unknown {
  let last = "";
  let needle: unknown;
  return (text) => {
    if (text !== last) {
      needle = JSON.parse(text);
      last = text;
    }
    return needle;
  };
}
