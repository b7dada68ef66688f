type Painter = (text: string) => string;

export type Paint = Record<
  "bold" | "dim" | "green" | "red" | "yellow",
  Painter
>;

/** Terminal colours, or none. */
export function painter(color: boolean): Paint {
  const code =
    (start: number, end: number): Painter =>
    (text) =>
      color ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return {
    bold: code(1, 22),
    dim: code(2, 22),
    green: code(32, 39),
    red: code(31, 39),
    yellow: code(33, 39),
  };
}
