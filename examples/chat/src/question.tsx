/** What the graph wants to know before it goes on: the value that it gave to `interrupt()`. */
export function Question({
  value,
  onAnswer,
}: {
  value: unknown;
  onAnswer: (answer: "yes" | "no") => void;
}) {
  return (
    <section aria-label="Question">
      <pre>{JSON.stringify(value, null, 2)}</pre>
      <button onClick={() => onAnswer("yes")}>Approve</button>
      <button onClick={() => onAnswer("no")}>Reject</button>
    </section>
  );
}
