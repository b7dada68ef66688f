/** `.` and `..` with at least one dot encoded, as a whole segment. */
const ENCODED = /(?<=\/)(?=[^/]*%2e)(?:\.|%2e){1,2}(?=\/|$)/gi;

/**
 * The address with encoded dot segments encoded once more. The SDKs encode an id like `..`
 * so that it stays an id, but `new URL` resolves it all the same:
 * `DELETE /threads/%2E%2E/runs/<id>` would become `DELETE /runs/<id>`.
 */
export function keepDotSegments(url: string): string {
  const [, path = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? [];
  if (!/%2e/i.test(path)) return url;
  const kept = path.replace(ENCODED, (dots) => dots.replaceAll("%", "%25"));
  return kept + query;
}
