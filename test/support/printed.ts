/**
 * Compares what a guide prints with what came. Everything is literal, but for
 * what differs each time, or with each release: UUIDs, the ids of interrupts, times, versions. An id of the page stands for one id
 * all through a session: where the page repeats it, it must come again.
 */
const ID =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)/g;
const VERSION = /\b\d+\.\d+\.\d+\b/g;

const shape = (text: string): string =>
  text
    .replace(ID, "<id>")
    .replace(TIME, "<time>")
    .replace(VERSION, "<version>");

export class Printed {
  readonly #cameFor = new Map<string, string>();
  readonly #printedFor = new Map<string, string>();

  /** One line per difference. */
  differences(format: "json" | "text", page: string, came: string): string[] {
    if (format === "text")
      return this.#compare("output", page.trim(), came.trim());
    return this.#compare("$", parse(page, "page"), parse(came, "program"));
  }

  #compare(at: string, page: unknown, came: unknown): string[] {
    if (typeof page === "string" && typeof came === "string")
      return this.#compareText(at, page, came);
    if (Array.isArray(page) && Array.isArray(came)) {
      if (page.length !== came.length)
        return [`${at} has ${came.length} elements, not ${page.length}`];
      return page.flatMap((item, n) =>
        this.#compare(`${at}[${n}]`, item, came[n]),
      );
    }
    if (isRecord(page) && isRecord(came))
      return this.#compareRecords(at, page, came);
    return page === came ? [] : [unequal(at, page, came)];
  }

  /** A key may be an id, too. */
  #compareRecords(at: string, page: Fields, came: Fields): string[] {
    const left = new Set(Object.keys(came));
    const differences = Object.keys(page).flatMap((key) => {
      const its = left.has(key)
        ? key
        : [...left].find((other) => shape(other) === shape(key));
      if (its === undefined) return [`${at}.${key} did not come`];
      left.delete(its);
      return [
        ...this.#compareText(`a key of ${at}`, key, its),
        ...this.#compare(`${at}.${key}`, page[key], came[its]),
      ];
    });
    const more = [...left].map((key) => `${at}.${key} is not on the page`);
    return [...differences, ...more];
  }

  #compareText(at: string, page: string, came: string): string[] {
    if (shape(page) !== shape(came)) return [unequal(at, page, came)];
    const ids = came.match(ID) ?? [];
    return (page.match(ID) ?? []).flatMap((id, n) =>
      this.#bind(at, id, ids[n] ?? ""),
    );
  }

  #bind(at: string, page: string, came: string): string[] {
    const expected = this.#cameFor.get(page) ?? came;
    const repeated = this.#printedFor.get(came) ?? page;
    this.#cameFor.set(page, expected);
    this.#printedFor.set(came, repeated);
    if (expected !== came)
      return [`${at} is not the same id as where the page has ${page} before`];
    if (repeated !== page)
      return [
        `${at} is an id that came before, where the page had ${repeated}`,
      ];
    return [];
  }
}

type Fields = Record<string, unknown>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const unequal = (at: string, page: unknown, came: unknown): string =>
  `${at} is ${JSON.stringify(came)}, on the page ${JSON.stringify(page)}`;

function parse(text: string, whose: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`the output of the ${whose} is not JSON:\n${text}`, {
      cause,
    });
  }
}
