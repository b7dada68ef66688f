/** What the graph wants to know before it goes on: the value that it gave to `interrupt()`. */
export function Approval({
  value,
  onAnswer,
}: {
  value: unknown;
  onAnswer: (answer: { approved: boolean }) => void;
}) {
  const { question, ...details } = value as Record<string, unknown>;
  return (
    <li>
      <section className="card approval" aria-label="Question">
        <h2>{String(question)}</h2>
        <dl>
          {Object.entries(details).map(([name, detail]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{String(detail)}</dd>
            </div>
          ))}
        </dl>
        <button
          className="primary"
          onClick={() => onAnswer({ approved: true })}
        >
          Approve
        </button>
        <button onClick={() => onAnswer({ approved: false })}>Reject</button>
      </section>
    </li>
  );
}
