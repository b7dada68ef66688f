import { expect, it } from "vitest";
import { StepGate } from "./step-gate.ts";

it("lets the first step in at once, and the next when what was stored has been sent", async () => {
  const sent: string[] = [];
  const gate = new StepGate(() => sent.push("sent"), AbortSignal.any([]));
  expect(gate.enter()).toBeNull();
  gate.leave();
  await gate.enter();
  expect(sent).toEqual(["sent"]);
});

it("lets nobody in who waited while the run was aborted", async () => {
  const abort = new AbortController();
  const gate = new StepGate(() => {}, abort.signal);
  gate.leave();
  const entrance = gate.enter();
  abort.abort(new Error("the run was cancelled"));
  await expect(entrance).rejects.toThrow("the run was cancelled");
});
