import fc from "fast-check";

/** Texts that mean something to somebody: SQL, JavaScript, HTTP, JSON, LangGraph. */
export const NASTY_TEXTS: readonly string[] = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udc00x",
  "\ufeff",
  "\r\nSet-Cookie: a=b",
  "../../etc/passwd",
  "'; drop table threads; --",
  "' or '1'='1",
  "%_\\",
  '"',
  "$.a[0]",
  "__proto__",
  "constructor",
  "toString",
  "__end__",
  "__input__",
  "__copy__",
  "__lc_escaped__",
  "values.",
  "-1",
  "1e999",
  "NaN",
  "0x10",
  "9007199254740993",
  "x".repeat(5000),
];

const deep = (levels: number): unknown =>
  JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

const NASTY_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  [],
  [null],
  {},
  [[]],
  JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": 1}}'),
  { lc: 1, type: "constructor", id: ["nobody", "X"], kwargs: {} },
  {
    lc: 1,
    type: "constructor",
    id: ["langchain_core", "messages", "constructor"],
    kwargs: {},
  },
  { lc: 1, type: "secret", id: ["PATH"] },
  { lc: 2, type: "undefined" },
  { lc: 2, type: "delta_snapshot", value: 1 },
  { lc: 2, type: "constructor", id: ["Map"], args: [[["a", 1]]] },
  { lg_name: "Command", goto: 5 },
  { lg_name: "Send", node: "first", args: 1 },
  { messages: [{ role: "human", content: "hi" }] },
  { messages: [{ role: "nobody", content: 1 }] },
  { messages: 5 },
  { topic: "tea", log: ["a"] },
  { log: 5 },
  { toJSON: 1, length: -1 },
  deep(100),
  deep(490),
  deep(505),
];

export const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...NASTY_VALUES),
  fc.constantFrom(...NASTY_TEXTS),
);
