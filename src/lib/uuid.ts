import { v5, v7, validate } from "uuid";

/** A new id that sorts by the time of its making. */
export const uuid7 = (): string => v7();

/** The same id for the same name, for ever. */
export const uuid5 = (name: string, namespace: string): string =>
  v5(name, namespace);

export const isUuid = (text: string): boolean => validate(text);
