import type { ClientBase } from "pg";
import { encoded } from "./postgres-types.ts";
import type { Sql } from "./sql.ts";

/** Texts that are prepared; those past it are planned each time. */
const MAX_PREPARED = 500;

/** Runs statements; each text is prepared once per connection. */
export class Statements {
  readonly #names = new Map<string, string>();
  readonly #prepares: boolean;

  constructor(prepares: boolean) {
    this.#prepares = prepares;
  }

  async run<Row>(client: ClientBase, statement: Sql): Promise<Row[]> {
    const text = statement.text((index) => `$${index + 1}`);
    const name = statement.isPlannedAnew ? undefined : this.#nameOf(text);
    const result: unknown = await client.query({
      text,
      values: statement.values.map(encoded),
      ...(name === undefined ? {} : { name }),
    });
    // Several results are the answer to a `begin`: something on the line has changed the order. Whoever asks anew gets his own.
    if (Array.isArray(result))
      throw new Error("connection error: the answers are out of step");
    return (result as { rows: Row[] }).rows;
  }

  #nameOf(text: string): string | undefined {
    if (!this.#prepares) return undefined;
    const known = this.#names.get(text);
    if (known !== undefined || this.#names.size >= MAX_PREPARED) return known;
    const name = `spool_${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }
}
