/** A refusal that may be tried again, so nothing of what was asked may have happened. */
const REFUSALS = [
  // Its worker was killed twice while it answered.
  "the worker died while it answered; try again",
  "the database cannot be reached; try again",
];

export const isRefusal = (status: number, text: string): boolean =>
  status === 503 && REFUSALS.some((refusal) => text.includes(refusal));
