import { z } from "zod";

const object = () => z.record(z.string(), z.unknown());

/** `Assistant`, for the description of the API. */
export const assistantShape = z
  .object({
    assistant_id: z.guid(),
    graph_id: z.string(),
    config: object(),
    context: z.unknown(),
    metadata: object(),
    version: z.int().min(1),
    name: z.string(),
    description: z.string().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: "Assistant" });

const jsonSchema = () => object().nullable();

export const graphSchemasShape = z
  .object({
    graph_id: z.string(),
    input_schema: jsonSchema(),
    output_schema: jsonSchema(),
    state_schema: jsonSchema(),
    config_schema: jsonSchema(),
    context_schema: jsonSchema(),
  })
  .meta({ id: "GraphSchemas" });

export const drawableGraphShape = z
  .object({
    nodes: z.array(object()),
    edges: z.array(object()),
  })
  .meta({ id: "DrawableGraph" });

/** Namespace -> schemas, each under two names: `state` and `state_schema`. */
export const subgraphsShape = z
  .record(z.string(), object())
  .meta({ id: "Subgraphs" });
