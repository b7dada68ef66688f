/** Doubles from `firstMs` with each attempt (from 1), with up to 20 % of jitter so that many do not come back at once. */
export function backoffMs(
  attempt: number,
  bounds: { firstMs: number; maxMs: number },
): number {
  const full = Math.min(bounds.firstMs * 2 ** (attempt - 1), bounds.maxMs);
  return Math.round(full * (1 - Math.random() * 0.2));
}
