import { test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import { expectRefused, type Driven } from "./driven.ts";

/**
 * What this version answers with 501. Who builds one of them finds it here:
 * its line goes, and a suite of its own comes.
 */
export function notYetSuite(driven: Driven): void {
  const calls: [method: string, call: () => Promise<unknown>][] = [
    ["crons.create", () => crons().create("agent", { schedule: "0 0 * * *" })],
    [
      "crons.createForThread",
      () => crons().createForThread(NOBODY, "agent", { schedule: "0 0 * * *" }),
    ],
    ["crons.update", () => crons().update(NOBODY, { enabled: false })],
    ["crons.delete", () => crons().delete(NOBODY)],
    ["crons.search", () => crons().search()],
    ["crons.count", () => crons().count()],
    ["~ui.getComponent", () => driven.client["~ui"].getComponent("agent", "x")],
  ];
  const crons = () => driven.client.crons;

  test.each(calls)("%s is not there yet, and says so", async (_, call) => {
    await expectRefused(call(), 501, /arrives with a later version of Spool$/);
  });
}
