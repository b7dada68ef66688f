import { useState } from "react";

/** Has a button to stop while `onStop` is given, else one to send. */
export function Composer({
  onSend,
  onStop,
}: {
  onSend: (content: string) => void;
  onStop?: () => void;
}) {
  const [text, setText] = useState("");
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        if (onStop || text === "") return;
        setText("");
        onSend(text);
      }}
    >
      <input
        aria-label="Message"
        placeholder="Ask something"
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {onStop ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button className="primary" disabled={text === ""}>
          Send
        </button>
      )}
    </form>
  );
}
