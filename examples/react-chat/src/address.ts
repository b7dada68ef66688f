import { useState } from "react";

/** What the page reads from its own address: `?api=http://…&graph=agent&transport=websocket&thread=<id>`. */
export function readAddress() {
  const { searchParams } = new URL(location.href);
  return {
    api: searchParams.get("api") ?? "http://localhost:2024",
    graph: searchParams.get("graph") ?? "agent",
    transport:
      searchParams.get("transport") === "websocket" ? "websocket" : "sse",
    thread: searchParams.get("thread"),
  } as const;
}

/** The thread is in the address, so that a page that is loaded again shows it again. */
export function useThreadInAddress() {
  const [threadId, setThreadId] = useState(() => readAddress().thread);
  const show = (id: string | null) => {
    const url = new URL(location.href);
    if (id === null) url.searchParams.delete("thread");
    else url.searchParams.set("thread", id);
    history.replaceState(null, "", url);
    setThreadId(id);
  };
  return [threadId, show] as const;
}
