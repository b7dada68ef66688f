import { pino, type Logger, type LoggerOptions } from "pino";
import { logText } from "./log-text.ts";

export type { Logger } from "pino";

export interface LogSettings {
  /** A pino level: trace, debug, info, warn, error, fatal or silent. */
  level: string;
  /** One JSON object a line instead of text for people. */
  json: boolean;
  color: boolean;
}

/** Secrets never reach a log line, whoever logs the object that holds them. */
const REDACTED = [
  "authorization",
  "cookie",
  "x-api-key",
  "headers.authorization",
  "headers.cookie",
  'headers["x-api-key"]',
];

export function createLogger(settings: LogSettings): Logger {
  const options: LoggerOptions = {
    level: settings.level,
    base: null,
    redact: REDACTED,
  };
  const out = new TurnWriter(process.stdout);
  const write = (line: string) =>
    out.write(settings.json ? line : logText(line, settings.color));
  return pino(options, { write });
}

/** What is logged in one turn of the event loop goes out with one system call, and nothing is lost at the exit. */
class TurnWriter {
  readonly #stream: NodeJS.WriteStream;
  #text = "";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    process.on("exit", () => this.#flush());
  }

  write(line: string): void {
    if (this.#text === "") setImmediate(() => this.#flush());
    this.#text += line;
  }

  #flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#stream.write(text);
  }
}
