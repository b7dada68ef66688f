import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { readAddress } from "./address.ts";
import { Chat } from "./chat.tsx";
import "./chat.css";

const { api, graph, transport } = readAddress();

createRoot(document.querySelector("#root")!).render(
  <StrictMode>
    <Chat apiUrl={api} assistantId={graph} transport={transport} />
  </StrictMode>,
);
