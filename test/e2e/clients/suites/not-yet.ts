import { test } from "vitest";
import { expectRefused, type Driven } from "./driven.ts";

/**
 * What this version answers with 501. Who builds one of them finds it here:
 * its line goes, and a suite of its own comes.
 */
export function notYetSuite(driven: Driven): void {
  const calls: [method: string, call: () => Promise<unknown>][] = [
    ["~ui.getComponent", () => driven.client["~ui"].getComponent("agent", "x")],
  ];

  test.each(calls)("%s is not there yet, and says so", async (_, call) => {
    await expectRefused(call(), 501, /arrives with a later version of Spool$/);
  });
}
