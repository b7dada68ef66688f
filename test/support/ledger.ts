import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";

/**
 * What clients asked for and what they were told, on disk before anything else
 * happens: a test that kills servers compares it with what is there afterwards.
 */
export class Ledger<Entry> {
  readonly #file: string;
  readonly #fd: number;

  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, "ax");
  }

  /** In the file when this returns. */
  note(entry: Entry): void {
    writeSync(this.#fd, `${JSON.stringify(entry)}\n`);
  }

  /** On the disk when this returns, with all that was noted before. */
  record(entry: Entry): void {
    this.note(entry);
    fsyncSync(this.#fd);
  }

  entries(): Entry[] {
    const lines = readFileSync(this.#file, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Entry);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
