/**
 * NUL, half a surrogate pair, and the character that stands in for both where
 * JSON comes in: a name with one of them would be stored as another name.
 */
const UNSTORABLE = new RegExp(String.raw`[\0\ufffd\p{Cs}]`, "u");

/** Whether the text comes back from every database as it is, so that it can name something. */
export const isStorable = (text: string): boolean => !UNSTORABLE.test(text);

export const STORABLE =
  "must not contain NUL, half a surrogate pair or U+FFFD, which stands in for them";
