export type Env = Readonly<Record<string, string | undefined>>;

/** A copy of the environment. Nothing else in the server program reads `process.env`. */
export const readEnv = (): Env => ({ ...process.env });
