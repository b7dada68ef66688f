/** A part of a list, and how long the list is. */
export interface Page<Row> {
  rows: Row[];
  /** Of all pages. */
  total: number;
  /** Where the next page starts; null when this is the last. */
  next: number | null;
}

export function pageOf<Row>(
  rows: Row[],
  { offset, total }: { offset: number; total: number },
): Page<Row> {
  const next = offset + rows.length;
  return { rows, total, next: rows.length > 0 && next < total ? next : null };
}
