// The lockfile pins versions and contents, not where they come from, and nothing in it builds or downloads at install.
import { readFileSync } from "node:fs";
import { root } from "./setup.mjs";

/** Packages with an install script, each with the reason why it may have one. */
const MAY_HAVE_SCRIPT = {
  "@photostructure/sqlite":
    "ships prebuilt binaries; the script only looks for one",
  "msgpackr-extract":
    "optional; ships prebuilt binaries, and msgpackr works without",
  fsevents: "optional, macOS only; ships its binary",
};

export function checkLockfile() {
  const { packages } = JSON.parse(
    readFileSync(`${root}/package-lock.json`, "utf8"),
  );
  const problems = Object.entries(packages).flatMap(([path, entry]) =>
    problemsOf(path.replace(/^.*node_modules\//, ""), entry),
  );
  return { code: problems.length === 0 ? 0 : 1, output: problems.join("\n") };
}

function problemsOf(
  name,
  { resolved, link, integrity, hasInstallScript, optional },
) {
  const problems = [];
  if (resolved !== undefined && !link)
    problems.push(`${name}: the lockfile records where it was downloaded from`);
  if (
    resolved === undefined &&
    name !== "" &&
    !name.startsWith("examples/") &&
    !integrity
  )
    problems.push(`${name}: the lockfile has no integrity for it`);
  if (hasInstallScript && (MAY_HAVE_SCRIPT[name] === undefined || !optional))
    problems.push(
      `${name}: runs a script at install (scripts/check-lockfile.mjs lists who may)`,
    );
  return problems;
}
