/** What keeps the test of the guides honest: a block that it would not run, or an output that it would not compare, is seen. */
import { describe, expect, test } from "vitest";
import { Printed } from "../support/printed.ts";
import { parsePage, withOutputs, type Output } from "../support/snippets.ts";

const page = (...lines: string[]) => parsePage("a.md", lines.join("\n"));
const block = (language: string, ...lines: string[]) => [
  "```" + language,
  ...lines,
  "```",
  "",
];

describe("the blocks of a page", () => {
  test.each([
    ["without a language", block("", "x")],
    ["in an unknown language", block("bash", "x")],
    ["that is indented", ["Text.", "", "    curl localhost", ""]],
    ["that is not closed", ["```sh", "curl localhost"]],
  ])("one %s is refused, with its line", (_, lines) => {
    expect(() => page("# Title", ...lines)).toThrow(/a\.md:\d+: .*STYLE\.md/);
  });

  test("an output belongs to the last snippet of each language before it", () => {
    const { snippets } = page(
      ...block("python", "first"),
      ...block("python", "second"),
      ...block("sh", "third"),
      ...block("json", "1"),
      ...block("sh", "fourth"),
    );
    expect(snippets.map(({ output }) => output?.text ?? null)).toEqual([
      null,
      "1\n",
      "1\n",
      null,
    ]);
  });

  test("an output does not reach over a heading", () => {
    const { snippets, shown } = page(
      ...block("sh", "x"),
      "## Next",
      ...block("json", "1"),
    );
    expect(snippets[0]?.output).toBeNull();
    expect(shown).toHaveLength(1);
  });

  test("a block with a path is a file of the project", () => {
    const { files, snippets } = page(...block("ts src/a.ts", "x"));
    expect(files).toMatchObject([{ path: "src/a.ts", text: "x\n" }]);
    expect(snippets).toEqual([]);
  });

  test("the command that starts the server says which example a page is about", () => {
    const command = "npm start -- --config examples/patterns";
    expect(page(...block("console", command)).example).toBe(
      "examples/patterns",
    );
    expect(page(...block("console", "npm start")).example).toBeNull();
  });

  test("a block with the path of an example is a part of it, and no file of the page's project", () => {
    const { files, excerpts } = page(...block("ts examples/a.ts", "x"));
    expect(files).toEqual([]);
    expect(excerpts).toMatchObject([{ path: "examples/a.ts", text: "x\n" }]);
  });

  test("js and ts are one session", () => {
    const { snippets } = page(...block("js", "x"), ...block("ts", "y"));
    expect(snippets.map(({ session }) => session)).toEqual(["js", "js"]);
  });

  test("an update changes outputs and nothing else", () => {
    const lines = [
      ...["# A", ...block("sh", "x"), ...block("json", "1", "2")],
      ...["Text.", ...block("sh", "y"), ...block("text", "z"), "End."],
    ];
    const [first, second] = page(...lines).snippets.map(({ output }) => output);
    const updates = new Map<Output, string>([
      [first as Output, "[\n3\n]"],
      [second as Output, "new"],
    ]);
    expect(withOutputs(lines.join("\n"), updates)).toBe(
      lines.join("\n").replace("1\n2", "[\n3\n]").replace("z", "new"),
    );
  });
});

const A = "01a204da-1cfa-758d-819e-bcce163201af";
const B = "01a204da-1c6e-7236-b732-f503b2d4088c";
const C = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";
const differences = (printed: unknown, came: unknown) =>
  new Printed().differences(
    "json",
    JSON.stringify(printed),
    JSON.stringify(came),
  );

describe("what came, compared with what is printed", () => {
  test("the id of an interrupt may be another", () => {
    const [printed, came] = ["0f".repeat(16), "9a".repeat(16)];
    expect(differences({ id: printed }, { id: came })).toEqual([]);
    expect(differences([printed, printed], [printed, came])).toHaveLength(1);
  });

  test("a key that is an id may be another, and is the same id elsewhere", () => {
    expect(differences({ [A]: 1, ids: [A] }, { [B]: 1, ids: [B] })).toEqual([]);
    expect(
      differences({ [A]: 1, ids: [A] }, { [B]: 1, ids: [C] }),
    ).toHaveLength(1);
    expect(differences({ [A]: 1, [B]: 2 }, { [C]: 1 })).toHaveLength(1);
  });

  test("ids, times and versions may be others", () => {
    const printed = { id: A, at: "2026-11-22T20:02:13.006Z", v: "1.7.3" };
    const came = { id: B, at: "2027-01-02T03:04:05.006Z", v: "1.8.0" };
    expect(differences(printed, came)).toEqual([]);
  });

  test.each([
    ["a key that is missing", { a: 1, b: 2 }, { a: 1 }],
    ["a key that is new", { a: 1 }, { a: 1, b: 2 }],
    ["another value", { a: "idle" }, { a: "busy" }],
    ["another type", { a: 1 }, { a: "1" }],
    ["null for an object", { a: {} }, { a: null }],
    ["a list for an object", { a: {} }, { a: [] }],
    ["a list of another length", [1], [1, 1]],
    ["no time for a time", "2026-11-22T20:02:13.006Z", "soon"],
    ["two ids for one", [A, A], [B, C]],
    ["one id for two", [A, B], [C, C]],
  ])("%s is a difference", (_, printed, came) => {
    expect(differences(printed, came)).toHaveLength(1);
  });

  test("an id is the same in all outputs of a session", () => {
    const session = new Printed();
    expect(session.differences("text", `id ${A}`, `id ${B}`)).toEqual([]);
    expect(
      session.differences("text", `again ${A}`, `again ${C}`),
    ).toHaveLength(1);
  });

  test("what is no JSON is said to be none", () => {
    expect(() => new Printed().differences("json", "1", "oops")).toThrow(
      "not JSON:\noops",
    );
  });
});
