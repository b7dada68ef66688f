/** What the files in deploy/ say fits together, and to what the program has. No docker runs here: see docs/scaling.md. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { addServerOptions } from "../../src/cli/server-options.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (name: string) => readFileSync(join(ROOT, "deploy", name), "utf8");

const PORT = 2024;

describe("the Dockerfile", () => {
  const text = read("Dockerfile");

  test("runs as nobody in particular, drains on SIGTERM, and asks the port that it serves", () => {
    const last = text.slice(text.lastIndexOf("\nFROM"));
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(last).toMatch(new RegExp(`^EXPOSE ${PORT}$`, "m"));
    expect(last).toContain(`http://127.0.0.1:${PORT}/ok`);
    expect(last).not.toMatch(/curl|wget/);
  });

  test("starts the program with flags that it has", () => {
    const [, list = "[]"] = /^CMD (\[.*\])$/m.exec(text) ?? [];
    const [node, program, command, ...args] = JSON.parse(list) as string[];
    expect([node, program, command]).toEqual([
      "node",
      "node_modules/spool/dist/cli/index.js",
      "start",
    ]);
    const options = addServerOptions(new Command().exitOverride());
    options.parse(args, { from: "user" });
    expect(options.opts()).toMatchObject({ host: "0.0.0.0", port: `${PORT}` });
  });

  test("copies what is there, and has no secret", () => {
    const [, project = ""] = /^ARG PROJECT=(.*)$/m.exec(text) ?? [];
    expect(existsSync(join(ROOT, project, "langgraph.json"))).toBe(true);
    expect(existsSync(join(ROOT, project, "package.json"))).toBe(true);
    expect(text).not.toMatch(/^(ARG|ENV) .*(KEY|TOKEN|PASSWORD|SECRET|URI)/im);
    expect(read("Dockerfile.dockerignore")).toMatch(/^\*\*\/\.env$/m);
  });
});

interface ComposeService {
  environment?: Record<string, string>;
  stop_grace_period?: string;
  depends_on?: Record<string, unknown>;
  ports?: string[];
}

describe("compose.yaml", () => {
  const { services } = parse(read("compose.yaml"), { merge: true }) as {
    services: Record<string, ComposeService>;
  };
  const instances = Object.entries(services).filter(([name]) =>
    name.startsWith("spool-"),
  );

  test("has two instances on one database, each with more time to stop than its runs get", () => {
    expect(instances).toHaveLength(2);
    for (const [, service] of instances) {
      const grace = service.environment?.["BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS"];
      expect(parseInt(service.stop_grace_period ?? "0", 10)).toBeGreaterThan(
        Number(grace),
      );
      expect(service.environment?.["POSTGRES_URI"]).toContain("@postgres:");
      expect(service.ports).toBeUndefined(); // the balancer's alone, and this machine's
    }
    expect(services["balancer"]?.ports).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:/),
    ]);
  });

  test("has them all behind the balancer", () => {
    const behind = [
      ...read("nginx.conf").matchAll(/^\s*server (\S+):(\d+) /gm),
    ].map(([, name, port]) => [name, Number(port)]);
    expect(behind).toEqual(instances.map(([name]) => [name, PORT]));
    expect(Object.keys(services["balancer"]?.depends_on ?? {})).toEqual(
      instances.map(([name]) => name),
    );
  });
});

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown>;
}

interface Pod {
  terminationGracePeriodSeconds: number;
  securityContext: Record<string, unknown>;
  containers: {
    env: { name: string; value?: string; valueFrom?: unknown }[];
    ports: { containerPort: number }[];
    lifecycle: { preStop: { exec: { command: string[] } } };
    readinessProbe: { httpGet: { path: string } };
    livenessProbe: { httpGet: { path: string } };
  }[];
}

describe("the manifests for Kubernetes", () => {
  const all = parseAllDocuments(read("kubernetes/spool.yaml")).map(
    (document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Manifest;
    },
  );
  const ofKind = (kind: string) => all.find((one) => one.kind === kind)!;
  const { template, selector, replicas } = ofKind("Deployment").spec as {
    template: { metadata: { labels: unknown }; spec: Pod };
    selector: { matchLabels: unknown };
    replicas: number;
  };
  const [container] = template.spec.containers;

  test("give a pod more time to stop than its runs get", () => {
    const grace = container?.env.find(
      ({ name }) => name === "BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS",
    );
    const [sleep, seconds] = container?.lifecycle.preStop.exec.command ?? [];
    expect(sleep).toBe("sleep");
    const CLOSE_SECONDS = 5; // responses and workers, after the runs
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
      Number(grace?.value) + Number(seconds) + CLOSE_SECONDS,
    );
  });

  test("select the pods that they make, and keep one of them", () => {
    expect(template.metadata.labels).toEqual(selector.matchLabels);
    expect(ofKind("Service").spec["selector"]).toEqual(selector.matchLabels);
    const budget = ofKind("PodDisruptionBudget").spec;
    expect(budget["selector"]).toEqual(selector);
    expect(Number(budget["minAvailable"])).toBeLessThan(replicas);
    expect(container?.ports[0]?.containerPort).toBe(PORT);
  });

  test("ask for the database before they send traffic, and not before they kill", () => {
    expect(container?.readinessProbe.httpGet.path).toBe("/ok?check_db=true");
    expect(container?.livenessProbe.httpGet.path).toBe("/ok");
  });

  test("have the address of the database from a secret, which is made apart", () => {
    const uri = container?.env.find(({ name }) => name === "POSTGRES_URI");
    expect(uri?.valueFrom).toEqual({
      secretKeyRef: { name: "spool", key: "postgres-uri" },
    });
    expect(all.map(({ kind }) => kind)).not.toContain("Secret");
    const secret = parse(read("kubernetes/secret.example.yaml")) as {
      metadata: { name: string };
      stringData: Record<string, string>;
    };
    expect(secret.metadata.name).toBe("spool");
    expect(Object.keys(secret.stringData)).toEqual(["postgres-uri"]);
    expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true });
  });
});
