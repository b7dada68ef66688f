/** Parts of the API that langgraph.json can turn off, each by `http.disable_<name>`. */
export type RouteGroup = "assistants" | "threads" | "runs" | "store" | "meta";
