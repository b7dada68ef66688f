/** The class of an exception: its own `name`, else the name of its constructor. */
export function errorName(error: Error): string {
  const { name } = error;
  if (name !== "Error" && typeof name === "string" && name !== "") return name;
  return error.constructor?.name || "Error";
}
