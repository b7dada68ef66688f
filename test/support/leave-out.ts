import { test } from "vitest";

/** Seen as skipped, with the reason; where the variable is 1, as in CI, nothing may be left out. */
export function leaveOut(
  what: string,
  { reason, unless }: { reason: string; unless: string },
): void {
  const isRequired = process.env[unless] === "1";
  if (!isRequired) process.stderr.write(`skipped: ${what}: ${reason}\n`);
  test.skipIf(!isRequired)(`${what}: ${reason}`, () => {
    throw new Error(reason);
  });
}
