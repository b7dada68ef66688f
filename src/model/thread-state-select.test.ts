import { describe, expect, it } from "vitest";
import { selectState, stateField } from "./thread-state-select.ts";
import { EMPTY_STATE } from "./thread-state.ts";

const state = {
  ...EMPTY_STATE,
  values: { topic: "rain", log: ["a"], count: 0 },
  next: ["ask"],
};

describe("selecting fields of a state", () => {
  it("leaves out what was not selected", () => {
    expect(selectState(state, ["next", "checkpoint"])).toEqual({
      next: ["ask"],
      checkpoint: null,
    });
  });

  it("shows everything when nothing is selected", () => {
    expect(selectState(state, [])).toEqual(state);
  });

  it("shows the named values alone", () => {
    expect(selectState(state, ["values.log", "values.count", "next"])).toEqual({
      values: { log: ["a"], count: 0 },
      next: ["ask"],
    });
  });

  it("shows all values when they are selected as a whole, too", () => {
    expect(selectState(state, ["values.log", "values"])).toEqual({
      values: state.values,
    });
  });

  it("finds no key in what is not an object, nor in its prototype", () => {
    expect(
      selectState({ ...state, values: ["a"] }, ["values.0", "values.length"]),
    ).toEqual({ values: {} });
    expect(selectState(state, ["values.toString"])).toEqual({ values: {} });
  });

  it.each(["", "value", "values.", "tasks.0", "thread_id"])(
    "refuses %j as a field",
    (name) => {
      expect(stateField.safeParse(name).success).toBe(false);
    },
  );

  it.each(["values", "values.a.b", "interrupts"])(
    "takes %j as a field",
    (name) => {
      expect(stateField.safeParse(name).success).toBe(true);
    },
  );
});
