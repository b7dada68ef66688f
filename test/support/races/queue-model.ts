import type { CancelAction } from "../../../src/model/run.ts";

/*
 * What the engine should do, in memory and without regard to anything that may
 * happen at the same time. It answers as the engine does.
 */

export interface ModelRun {
  run_id: string;
  seq: number;
  q: "ready" | "behind" | "delayed" | "running" | "done";
  status: "pending" | "running" | "success" | "interrupted";
  attempt: number;
  deaths: number;
  cancel: CancelAction | null;
  owner: string | null;
  input_applied: boolean;
  last_checkpoint_id: string | null;
}

export interface ModelThread {
  thread_id: string;
  runs: ModelRun[];
  run_seq: number;
  /** Checkpoints and the runs that made them. */
  checkpoints: { checkpoint_id: string; run_id: string }[];
}

export interface Lease {
  run_id: string;
  attempt: number;
}

export class QueueModel {
  readonly threads = new Map<string, ModelThread>();
  /** Instances that have a row, and whether their lease is over. */
  readonly instances = new Map<string, "lives" | "expired">();

  addThread(thread_id: string): void {
    const runs: ModelRun[] = [];
    this.threads.set(thread_id, {
      thread_id,
      runs,
      run_seq: 0,
      checkpoints: [],
    });
  }

  unfinished(thread_id: string): ModelRun[] {
    const runs = this.threads.get(thread_id)?.runs ?? [];
    return runs.filter(({ q }) => q !== "done");
  }

  enqueue(
    thread_id: string,
    params: { strategy: string; isDelayed: boolean },
  ): ModelRun | "conflict" | "not_found" {
    const { strategy, isDelayed } = params;
    const thread = this.threads.get(thread_id);
    if (thread === undefined) return "not_found";
    const others = this.unfinished(thread_id);
    if (strategy === "reject" && others.length > 0) return "conflict";
    if (strategy === "interrupt" || strategy === "rollback")
      for (const run of others) this.#stop(thread, run, strategy);
    const isTaken = this.unfinished(thread_id).some(({ q }) => q !== "delayed");
    thread.run_seq += 1;
    const run: ModelRun = {
      run_id: "",
      seq: thread.run_seq,
      q: isDelayed ? "delayed" : isTaken ? "behind" : "ready",
      ...{
        status: "pending",
        attempt: 0,
        deaths: 0,
        cancel: null,
        owner: null,
      },
      ...{ input_applied: false, last_checkpoint_id: null },
    };
    thread.runs.push(run);
    return run;
  }

  /** Those that may be claimed. */
  claimable(owner: string): ModelRun[] {
    if (!this.instances.has(owner)) return [];
    return this.#runs().filter(({ q }) => q === "ready");
  }

  claim(owner: string, run_id: string): Lease {
    const run = this.#runs().find((one) => one.run_id === run_id)!;
    run.attempt += 1;
    Object.assign(run, { q: "running", status: "running", owner });
    return { run_id, attempt: run.attempt };
  }

  put(lease: Lease, checkpoint_id: string): "stored" | "lost" {
    const held = this.#held(lease);
    if (held === null) return "lost";
    const { thread, run } = held;
    Object.assign(run, {
      input_applied: true,
      last_checkpoint_id: checkpoint_id,
    });
    thread.checkpoints.push({ checkpoint_id, run_id: run.run_id });
    return "stored";
  }

  finish(lease: Lease): "finished" | "rolled back" | "lost" {
    const held = this.#held(lease);
    if (held === null) return "lost";
    const { thread, run } = held;
    const isDoomed = run.cancel === "rollback";
    if (isDoomed) this.#remove(thread, run);
    else Object.assign(run, { q: "done", status: "success", owner: null });
    this.#passTurn(thread);
    return isDoomed ? "rolled back" : "finished";
  }

  handBack(lease: Lease): "handed back" | "lost" {
    const held = this.#held(lease);
    if (held === null) return "lost";
    held.run.deaths += 1;
    Object.assign(held.run, { q: "ready", status: "pending", owner: null });
    return "handed back";
  }

  cancel(
    thread_id: string,
    run_id: string,
    action: CancelAction,
  ): "conflict" | "not_found" | undefined {
    const thread = this.threads.get(thread_id);
    const run = thread?.runs.find((one) => one.run_id === run_id);
    if (thread === undefined || run === undefined) return "not_found";
    if (run.q === "done") return "conflict";
    this.#stop(thread, run, action);
    this.#passTurn(thread);
    return undefined;
  }

  deleteRun(
    thread_id: string,
    run_id: string,
  ): "conflict" | "not_found" | undefined {
    const thread = this.threads.get(thread_id);
    const run = thread?.runs.find((one) => one.run_id === run_id);
    if (thread === undefined || run === undefined) return "not_found";
    if (run.q !== "done") return "conflict";
    this.#remove(thread, run);
    return undefined;
  }

  deleteThread(thread_id: string): "not_found" | undefined {
    return this.threads.delete(thread_id) ? undefined : "not_found";
  }

  /** Whether the instance has its lease, be it by a hair. */
  beat(instance: string): boolean {
    if (!this.instances.has(instance)) return false;
    this.instances.set(instance, "lives");
    return true;
  }

  expire(instance: string): void {
    if (this.instances.has(instance)) this.instances.set(instance, "expired");
  }

  reap(): void {
    for (const [instance, state] of this.instances) {
      if (state === "lives") continue;
      this.instances.delete(instance);
      for (const run of this.#runs())
        if (run.owner === instance)
          Object.assign(run, { q: "ready", status: "pending", owner: null });
    }
  }

  /** The time of all delayed runs has come. */
  promote(): void {
    for (const thread of this.threads.values()) {
      for (const run of thread.runs) if (run.q === "delayed") run.q = "behind";
      this.#passTurn(thread);
    }
  }

  #runs(): ModelRun[] {
    return [...this.threads.values()].flatMap(({ runs }) => runs);
  }

  #held({ run_id, attempt }: Lease) {
    for (const thread of this.threads.values())
      for (const run of thread.runs)
        if (run.run_id === run_id)
          return run.q === "running" && run.attempt === attempt
            ? { thread, run }
            : null;
    return null;
  }

  #stop(thread: ModelThread, run: ModelRun, action: CancelAction): void {
    if (run.q !== "running" && action === "rollback") this.#remove(thread, run);
    else if (run.q !== "running" && run.attempt === 0)
      Object.assign(run, { q: "done", status: "interrupted" });
    else run.cancel = run.cancel === "rollback" ? "rollback" : action;
  }

  #remove(thread: ModelThread, { run_id }: ModelRun): void {
    thread.runs = thread.runs.filter((run) => run.run_id !== run_id);
    thread.checkpoints = thread.checkpoints.filter(
      (made) => made.run_id !== run_id,
    );
  }

  #passTurn({ runs }: ModelThread): void {
    if (runs.some(({ q }) => q === "ready" || q === "running")) return;
    const next = runs.find(({ q }) => q === "behind");
    if (next !== undefined) next.q = "ready";
  }
}
