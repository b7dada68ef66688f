import { ConfigError } from "./config-error.ts";

/** Text from a flag or a variable, with the name to blame when it is wrong. */
export interface Source {
  /** As the user wrote it: `--port`, `N_JOBS_PER_WORKER`. */
  name: string;
  text: string;
}

/** The first source that has text in it; an empty variable counts as not set. */
export function firstSource(
  ...candidates: [name: string, text: string | undefined][]
): Source | null {
  for (const [name, text] of candidates)
    if (text !== undefined && text.trim() !== "") return { name, text };
  return null;
}

export function toInteger(
  { name, text }: Source,
  { min, max }: { min: number; max: number },
): number {
  const value = Number(text.trim());
  if (/^\d+$/.test(text.trim()) && value >= min && value <= max) return value;
  const range =
    max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  throw wrong({ name, text }, `a whole number, ${range}`);
}

const TRUE = ["1", "true", "yes", "on"];
const FALSE = ["0", "false", "no", "off"];

export function toBoolean(source: Source): boolean {
  const word = source.text.trim().toLowerCase();
  if (TRUE.includes(word)) return true;
  if (FALSE.includes(word)) return false;
  throw wrong(source, "true or false");
}

export function toChoice<T extends string>(
  source: Source,
  choices: readonly T[],
): T {
  const word = source.text.trim().toLowerCase();
  const choice = choices.find((candidate) => candidate === word);
  if (choice !== undefined) return choice;
  throw wrong(source, `one of ${choices.join(", ")}`);
}

export function wrong({ name, text }: Source, expected: string): ConfigError {
  return new ConfigError(
    `${name} is ${JSON.stringify(text)}; it must be ${expected}`,
  );
}
