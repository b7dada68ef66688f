import type { WorkerDeath } from "../workers/attempt.ts";

/*
 * Who ends workers. When a worker dies that had one run only, it was that
 * run's doing. When it had several, one of them did it and nobody knows which:
 * the death is an open case with all of them as suspects, and counts against
 * none. A run that has been near too many deaths gets a process of its own
 * (`Execution`), and that settles it: dies this one too, all its open cases
 * were its doing, and the others are cleared; ends it, it is cleared itself.
 *
 * Kept in memory: after a restart everybody is innocent again.
 */
export class Suspects {
  /** Each death of a worker that had several runs, with those that may have done it. */
  readonly #cases = new Map<WorkerDeath["company"], Set<string>>();

  /** Deaths that may have been this run's doing. */
  casesOf(runId: string): number {
    return this.#casesWith(runId).length;
  }

  /** How many deaths the run has to answer for, now that its worker has died. */
  deathsOf(runId: string, { company, byUs }: WorkerDeath): number {
    // It may have come when the worker was dead already.
    if (byUs || !company.has(runId)) return 0;
    if (company.size > 1) {
      if (!this.#cases.has(company)) this.#cases.set(company, new Set(company));
      return 0;
    }
    const solved = this.#casesWith(runId);
    for (const one of solved) this.#cases.delete(one);
    return solved.length + 1;
  }

  /** The run has ended without doing it again. */
  clear(runId: string): void {
    for (const company of this.#casesWith(runId)) {
      const suspects = this.#cases.get(company);
      suspects?.delete(runId);
      if (suspects?.size === 0) this.#cases.delete(company);
    }
  }

  #casesWith(runId: string): WorkerDeath["company"][] {
    return [...this.#cases]
      .filter(([, suspects]) => suspects.has(runId))
      .map(([company]) => company);
  }
}
