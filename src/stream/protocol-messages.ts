import { isObject } from "../lib/json.ts";

/*
 * Messages in a state as the streaming protocol has them: types by LangChain's
 * names, tool calls where they belong, content in standard blocks, and nothing
 * that is empty. The run streams and the states over HTTP have them as they are.
 */

type Fields = Record<string, unknown>;

const TYPES: Readonly<Record<string, string>> = {
  ...{ human: "human", user: "human", ai: "ai", assistant: "ai" },
  ...{ system: "system", tool: "tool" },
};

const BLOCKS = new Set([
  ...["text", "text-plain", "reasoning", "tool_call", "tool_call_chunk"],
  ...["invalid_tool_call", "server_tool_call", "server_tool_call_chunk"],
  ...["server_tool_result", "image", "audio", "video", "file"],
  "non_standard",
]);

/** What no message is without; most states have none, and need not be read. */
export const mayHaveMessages = (json: string): boolean =>
  json.includes('"content":');

/** The members of the state that are messages or lists of them; all else is left alone. */
export function withProtocolMessages(state: Fields): Fields {
  const entries = Object.entries(state).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(messageOf) : messageOf(value),
  ]);
  return Object.fromEntries(entries) as Fields;
}

function messageOf(value: unknown): unknown {
  if (!isObject(value) || typeof value["type"] !== "string") return value;
  const type = Object.hasOwn(TYPES, value["type"])
    ? TYPES[value["type"]]
    : null;
  if (type == null || !("content" in value)) return value;
  const { additional_kwargs, response_metadata, content, ...rest } = value;
  const { kept, media } = liftedMedia(additional_kwargs);
  return {
    ...rest,
    type,
    content: contentOf(content, media),
    ...(type === "ai" && toolCallsOf(value, kept)),
    ...(isEmpty(kept) ? {} : { additional_kwargs: kept }),
    ...(isEmpty(response_metadata) ? {} : { response_metadata }),
  };
}

const isEmpty = (value: unknown): boolean =>
  value == null || (isObject(value) && Object.keys(value).length === 0);

function contentOf(content: unknown, media: Fields[]): unknown {
  if (Array.isArray(content)) return [...content.map(blockOf), ...media];
  if (media.length === 0 || typeof content !== "string") return content;
  return content === "" ? media : [{ type: "text", text: content }, ...media];
}

function blockOf(block: unknown): unknown {
  if (typeof block === "string") return { type: "text", text: block };
  if (!isObject(block) || typeof block["type"] !== "string") return block;
  const { type, image_url, input_audio } = block;
  if (type === "image_url") {
    const url = isObject(image_url) ? image_url["url"] : image_url;
    if (typeof url === "string") return { type: "image", url };
  }
  if (type === "input_audio" && isObject(input_audio)) {
    const { data, format } = input_audio;
    return { type: "audio", base64: data, mime_type: mimeOf("audio", format) };
  }
  if (!BLOCKS.has(String(type))) return { type: "non_standard", value: block };
  const { mimeType, ...rest } = block;
  return mimeType === undefined ? block : { mime_type: mimeType, ...rest };
}

const mimeOf = (kind: string, format: unknown): string =>
  `${kind}/${typeof format === "string" ? format : kind === "audio" ? "wav" : "png"}`;

/** Media that providers give beside the content. */
function liftedMedia(additional: unknown): { kept: unknown; media: Fields[] } {
  if (!isObject(additional)) return { kept: additional, media: [] };
  const { audio, tool_outputs, ...rest } = additional;
  const outputs: unknown[] = Array.isArray(tool_outputs) ? tool_outputs : [];
  const others = outputs.filter((output) => imageOf(output).length === 0);
  return {
    kept: {
      ...rest,
      ...(audio !== undefined && !isObject(audio) ? { audio } : {}),
      ...(others.length > 0 ? { tool_outputs: others } : {}),
    },
    media: [...audioOf(audio), ...outputs.flatMap(imageOf)],
  };
}

function audioOf(audio: unknown): Fields[] {
  if (!isObject(audio)) return [];
  const { data, format, ...rest } = audio;
  const mime_type = mimeOf("audio", format);
  return [{ ...rest, type: "audio", base64: data, mime_type }];
}

function imageOf(output: unknown): Fields[] {
  if (!isObject(output) || output["type"] !== "image_generation_call")
    return [];
  const { id, result, output_format } = output;
  if (typeof result !== "string") return [];
  const mime_type = mimeOf("image", output_format);
  return [{ type: "image", id, base64: result, mime_type }];
}

/** As OpenAI has them, when the message itself has none. */
function toolCallsOf({ tool_calls }: Fields, additional: unknown): Fields {
  const given = isObject(additional) ? additional["tool_calls"] : null;
  const hasOwn = Array.isArray(tool_calls) && tool_calls.length > 0;
  if (hasOwn || !Array.isArray(given)) return {};
  const calls = given.flatMap(toolCallOf);
  return calls.length === 0 ? {} : { tool_calls: calls };
}

function toolCallOf(call: unknown): Fields[] {
  if (!isObject(call) || !isObject(call["function"])) return [];
  const { name, arguments: text } = call["function"];
  try {
    const args: unknown = JSON.parse(String(text));
    return [{ type: "tool_call", id: call["id"], name, args }];
  } catch {
    return []; // the model's own words, which stay where they are
  }
}
