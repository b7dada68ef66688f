import { isObject } from "./json.ts";
import { painter, type Paint } from "./paint.ts";

/** What a line has besides its fields, or tells in its text: that of a request names method, path, status and time. */
const TOLD = new Set(["level", "time", "msg", "err"]);
const TOLD_BY_REQUESTS = new Set([...TOLD, "method", "path", "status", "ms"]);

/** A line of pino's as people read it, line end included: time, level, message, `field=value`, and below it the stack of `err`. */
export function logText(line: string, color: boolean): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const paint = painter(color);
  const head = [
    paint.dim(timeOf(Number(entry["time"]))),
    levelOf(Number(entry["level"]), paint),
    ...(entry["msg"] === undefined ? [] : [String(entry["msg"])]),
  ];
  const fields = fieldsOf(entry);
  if (fields.length > 0) head.push(paint.dim(fields.join(" ")));
  return `${head.join(" ")}\n${stackOf(entry["err"])}`;
}

function levelOf(level: number, paint: Paint): string {
  if (level >= 60) return paint.red("FATAL");
  if (level >= 50) return paint.red("ERROR");
  if (level >= 40) return paint.yellow("WARN ");
  if (level >= 30) return paint.green("INFO ");
  return paint.dim(level >= 20 ? "DEBUG" : "TRACE");
}

function fieldsOf(entry: Record<string, unknown>): string[] {
  const { method, status } = entry;
  const isRequest = typeof method === "string" && typeof status === "number";
  const told = isRequest ? TOLD_BY_REQUESTS : TOLD;
  return (
    Object.entries(entry)
      .filter(([name]) => !told.has(name))
      // Nobody looks up a request that went well.
      .filter(([name]) => !(isRequest && status < 400 && name === "request_id"))
      .map(([name, value]) => `${name}=${shown(value)}`)
  );
}

/** Text that could be mistaken for something else is quoted. */
const shown = (value: unknown): string =>
  typeof value === "string" && /^[^\s"=]+$/.test(value)
    ? value
    : JSON.stringify(value);

function stackOf(err: unknown): string {
  if (!isObject(err)) return "";
  const text = String(err["stack"] ?? err["message"] ?? "");
  return text
    .split("\n")
    .map((line) => `    ${line}\n`)
    .join("");
}

/** The local time of day, `18:31:08.212`. */
function timeOf(milliseconds: number): string {
  const time = new Date(milliseconds);
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()];
  const rest = String(time.getMilliseconds()).padStart(3, "0");
  return `${clock.map(two).join(":")}.${rest}`;
}
