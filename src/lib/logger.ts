import { pino, type Logger, type LoggerOptions } from "pino";
import pretty from "pino-pretty";

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
  return pino(
    options,
    pretty({
      colorize: settings.color,
      translateTime: "SYS:HH:MM:ss.l",
      // A request's line has these in its text.
      ignore: "pid,hostname,method,path,status,ms",
      singleLine: true,
      sync: true,
    }),
  );
}
