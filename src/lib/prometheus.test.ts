import { expect, test } from "vitest";
import { prometheusText } from "./prometheus.ts";

test("metrics are told line by line, with labels that cannot break out of theirs", () => {
  const text = prometheusText([
    { name: "up", help: "Whether.", type: "gauge", samples: [{ value: 1 }] },
    {
      name: "took",
      help: "How long.",
      type: "histogram",
      samples: [
        { suffix: "_bucket", labels: { le: "+Inf" }, value: 2 },
        { suffix: "_sum", labels: { a: 'x"\\\ny' }, value: 0.5 },
      ],
    },
  ]);
  expect(text).toBe(
    [
      "# HELP up Whether.",
      "# TYPE up gauge",
      "up 1",
      "# HELP took How long.",
      "# TYPE took histogram",
      'took_bucket{le="+Inf"} 2',
      'took_sum{a="x\\"\\\\\\ny"} 0.5',
      "",
    ].join("\n"),
  );
});
