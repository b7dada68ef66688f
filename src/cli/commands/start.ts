import type { Flags } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { serve } from "../serve.ts";

export async function start(flags: Flags): Promise<void> {
  await serve(loadConfig("start", flags));
}
