/** What the user gave is wrong: a flag, a variable or langgraph.json. The message is one line, names the thing and the remedy. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
