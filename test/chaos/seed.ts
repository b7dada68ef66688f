/** Gives the same choice of operations again; printed at once and said in every failure. */
export const SEED = Number(
  process.env["CHAOS_SEED"] ?? Date.now() % 1_000_000_000,
);

process.stderr.write(`CHAOS_SEED=${SEED}\n`);

/** Puts seed and round to the message of whatever fails in it. */
export async function inRound<T>(
  round: number,
  work: () => Promise<T>,
): Promise<T> {
  return work().catch((cause: unknown) => {
    const { message } = cause as Error;
    throw new Error(`CHAOS_SEED=${SEED}, round ${round}: ${message}`, {
      cause,
    });
  });
}
