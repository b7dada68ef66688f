/** One frame of an event stream, as it came over the wire. */
export interface WireFrame {
  id: string;
  event: string;
  /** JSON as text. */
  data: string;
}

/** Frames that came whole, until the connection ends or breaks. Comments are left out. */
export async function* sseFrames(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<WireFrame> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const frame = parse(block);
      if (frame !== null) yield frame;
    }
  }
}

function parse(block: string): WireFrame | null {
  const frame = { id: "", event: "", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value = ""] = /^(id|event|data): (.*)$/.exec(line) ?? [];
    if (name === "id" || name === "event" || name === "data")
      frame[name] = value;
  }
  return frame.event === "" ? null : frame;
}
