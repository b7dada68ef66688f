/**
 * A statement, or a part of one, with its parameters apart from its text.
 * Text is only ever written by us; data is only ever a parameter.
 */
export class Sql {
  readonly texts: readonly string[];
  readonly values: readonly unknown[];
  /** Which way is best depends on the values: an engine that keeps plans makes one for these. */
  readonly isPlannedAnew: boolean;

  /** `texts` is always one longer than `values`. */
  constructor(
    texts: readonly string[],
    values: readonly unknown[],
    { isPlannedAnew = false } = {},
  ) {
    this.texts = texts;
    this.values = values;
    this.isPlannedAnew = isPlannedAnew;
  }

  /** The text with a placeholder for each value: `?` or `$1`. */
  text(placeholder: (index: number) => string): string {
    let text = this.texts[0] ?? "";
    for (let index = 0; index < this.values.length; index += 1)
      text += placeholder(index) + (this.texts[index + 1] ?? "");
    return text;
  }
}

/** Tag of SQL text. A parameter that is itself `Sql` becomes part of the text. */
export function sql(
  strings: TemplateStringsArray,
  ...parameters: unknown[]
): Sql {
  const texts: string[] = [strings[0] ?? ""];
  const values: unknown[] = [];
  const appendText = (text: string) => {
    texts[texts.length - 1] += text;
  };
  parameters.forEach((parameter, index) => {
    if (parameter instanceof Sql) {
      appendText(parameter.texts[0] ?? "");
      values.push(...parameter.values);
      texts.push(...parameter.texts.slice(1));
    } else {
      values.push(parameter);
      texts.push("");
    }
    appendText(strings[index + 1] ?? "");
  });
  return new Sql(texts, values);
}

/** For searches: see `isPlannedAnew`. */
export const plannedAnew = ({ texts, values }: Sql): Sql =>
  new Sql(texts, values, { isPlannedAnew: true });

/** Text of ours that is not a template literal, such as a column from a fixed list. Never give it data. */
export const raw = (text: string): Sql => new Sql([text], []);

export const EMPTY = raw("");

export function join(parts: readonly Sql[], separator: string): Sql {
  return parts.reduce(
    (all, part, index) =>
      index === 0 ? part : sql`${all}${raw(separator)}${part}`,
    EMPTY,
  );
}

/** What follows `values` for several rows, each of as many parameters. The text varies with their number. */
export const rowsOf = (rows: readonly (readonly unknown[])[]): Sql =>
  new Sql(
    rows
      .flatMap((row, index) => [
        index === 0 ? "(" : "), (",
        ...row.slice(1).map(() => ", "),
      ])
      .concat(")"),
    rows.flat(),
  );

/** All of the conditions; true when there are none. */
export const and = (conditions: readonly Sql[]): Sql =>
  conditions.length === 0 ? raw("1 = 1") : join(conditions, " and ");

/** A parameter that is stored as JSON. `undefined` members vanish, as in JSON. */
export class JsonParameter {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
  toText(): string {
    return sayable(JSON.stringify(this.value) ?? "null");
  }
}

/** Wrap every value of a JSON column: `${json(thread.metadata)}`. */
export const json = (value: unknown): JsonParameter => new JsonParameter(value);

/** NUL, or half of a pair of surrogates, as JSON.stringify escapes them; or any other escape. */
const ESCAPES = /\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g;

/**
 * Postgres has no NUL and no half characters in text or JSON, so neither
 * engine gets one: U+FFFD stands in. The pattern skips escaped backslashes so
 * that the six characters `\\u0000` of a user's text stay what they are.
 */
const sayable = (text: string): string =>
  text.includes("\\u0000") || text.includes("\\ud")
    ? text.replace(ESCAPES, (escape) => (escape.length > 2 ? "\ufffd" : escape))
    : text;
