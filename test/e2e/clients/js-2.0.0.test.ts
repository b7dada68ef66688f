import { Client } from "langgraph-sdk-2";
import { test } from "vitest";
import { assertPageAgrees } from "../../support/compatibility-page.ts";
import { useServer } from "../../support/server.ts";
import { assistantSuite } from "./suites/assistants.ts";
import { cronSuite } from "./suites/crons.ts";
import { Driven, type ClientClass } from "./suites/driven.ts";
import { everythingCalledSuite } from "./suites/everything-called.ts";
import { notYetSuite } from "./suites/not-yet.ts";
import { runOptionSuite } from "./suites/run-options.ts";
import { specialRunOptionSuite } from "./suites/run-special-options.ts";
import { runStreamSuite } from "./suites/run-streams.ts";
import { runSuite } from "./suites/runs.ts";
import { storeSuite } from "./suites/store.ts";
import { threadStateSuite } from "./suites/thread-state.ts";
import { threadStreamSuite } from "./suites/thread-stream.ts";
import { threadSuite } from "./suites/threads.ts";
import { transportSuite } from "./suites/transport.ts";

const driven = new Driven({
  name: "js-2.0.0",
  clientClass: Client as unknown as ClientClass,
  server: useServer(),
});

assistantSuite(driven);
threadSuite(driven);
threadStreamSuite(driven);
threadStateSuite(driven);
runSuite(driven);
runOptionSuite(driven);
specialRunOptionSuite(driven);
runStreamSuite(driven);
storeSuite(driven);
cronSuite(driven);
notYetSuite(driven);
transportSuite(driven);

everythingCalledSuite(driven);

test("docs/compatibility.md says what was called", () => {
  assertPageAgrees(driven.record.client);
});
