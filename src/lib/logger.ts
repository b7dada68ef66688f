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
  if (settings.json) return pino(options);
  const write = (line: string) =>
    void process.stdout.write(logText(line, settings.color));
  return pino(options, { write });
}
