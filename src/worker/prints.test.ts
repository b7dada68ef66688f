import { describe, expect, it, vi } from "vitest";
import { Prints, type PrintedLine } from "./prints.ts";

function prints() {
  const lines: PrintedLine[] = [];
  return { lines, prints: new Prints((line) => void lines.push(line)) };
}

describe("Prints", () => {
  it("joins pieces to lines, per run and stream", async () => {
    const { lines, prints: printed } = prints();
    const run = (id: string) =>
      printed.ofRun(id, async () => {
        printed.write("stdout", `${id} be`);
        await Promise.resolve();
        printed.write("stderr", "other\n");
        printed.write("stdout", "gins\r\nand goes on\n");
      });
    await Promise.all([run("one"), run("two")]);
    for (const run_id of ["one", "two"])
      expect(lines.filter((line) => line.run_id === run_id)).toEqual([
        { run_id, stream: "stderr", text: "other" },
        { run_id, stream: "stdout", text: `${run_id} begins` },
        { run_id, stream: "stdout", text: "and goes on" },
      ]);
  });

  it("shows an unfinished line when its run ends, or after a while", async () => {
    vi.useFakeTimers();
    const { lines, prints: printed } = prints();
    await printed.ofRun("r", async () => printed.write("stdout", "half"));
    printed.write("stdout", "outside of runs");
    expect(lines.map(({ text }) => text)).toEqual(["half"]);
    vi.runAllTimers();
    expect(lines.at(-1)).toEqual({
      run_id: null,
      stream: "stdout",
      text: "outside of runs",
    });
    vi.useRealTimers();
  });

  it("cuts a line that never ends", () => {
    const { lines, prints: printed } = prints();
    for (let piece = 0; piece < 10; piece += 1)
      printed.write("stdout", "x".repeat(20_000));
    expect(lines.length).toBe(2);
  });
});
