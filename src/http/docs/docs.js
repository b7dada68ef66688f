"use strict";

// Shows openapi.json. Everything is set as text, never as HTML: names and
// descriptions come from the projects of users.

const METHODS = ["get", "post", "put", "patch", "delete"];
const base = location.pathname.replace(/\/docs\/?$/, "");

/** An element: `el("td", { class: "type" }, "text", child)`. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Text in which words between backticks are code. */
const prose = (text) =>
  text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? el("code", {}, part) : part));

let api = {};

function resolve(schema) {
  const name = schema?.$ref?.split("/").at(-1);
  return name === undefined
    ? (schema ?? {})
    : (api.components?.schemas?.[name] ?? {});
}

/** A schema in a few words: `string (uuid)`, `Thread[]`, `idle | busy`. */
function typeName(given) {
  if (given?.$ref) return given.$ref.split("/").at(-1);
  const schema = resolve(given);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map(String).join(" | ");
  const parts = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (parts)
    return [...new Set(parts.map(typeName))].join(schema.allOf ? " & " : " | ");
  const type = [schema.type ?? "any"].flat();
  if (type.includes("array")) {
    const item = typeName(schema.items);
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  }
  return type.join(" | ") + (schema.format ? ` (${schema.format})` : "");
}

function limits(schema) {
  const { default: fallback, minimum, maximum } = resolve(schema);
  return [
    fallback !== undefined && `default ${JSON.stringify(fallback)}`,
    minimum > Number.MIN_SAFE_INTEGER && `from ${minimum}`,
    maximum < Number.MAX_SAFE_INTEGER && `to ${maximum}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function fieldRow(name, schema, isRequired) {
  const about = [
    schema.description ?? resolve(schema).description,
    limits(schema),
  ];
  return el(
    "tr",
    {},
    el("td", {}, el("code", {}, name), isRequired ? " (required)" : ""),
    el("td", { class: "type" }, typeName(schema)),
    el("td", {}, ...prose(about.filter(Boolean).join("; "))),
  );
}

/** The members of an object, those of what it refers to folded away below it. */
function schemaTable(given) {
  const schema = resolve(given);
  if (!schema.properties) return el("p", { class: "type" }, typeName(given));
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    fieldRow(name, property, schema.required?.includes(name)),
  );
  return el("table", {}, el("tbody", {}, ...rows));
}

const jsonSchema = (holder) => holder?.content?.["application/json"]?.schema;

function responses(operation) {
  return Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const schema = jsonSchema(response);
    const items = schema && (resolve(schema).items ?? schema);
    return el(
      "div",
      {},
      el(
        "p",
        {},
        el("code", {}, status),
        ...prose(` ${response.description ?? ""} `),
        el("span", { class: "type" }, schema ? typeName(schema) : ""),
      ),
      status.startsWith("2") && items && resolve(items).properties
        ? schemaTable(items)
        : null,
    );
  });
}

/** A body to start from: the required members. */
function example(schema) {
  const { properties = {}, required = [], type } = resolve(schema);
  if (type === "array") return [];
  const blank = {
    string: "",
    integer: 0,
    number: 0,
    boolean: false,
    array: [],
    object: {},
  };
  return Object.fromEntries(
    required.map((name) => [
      name,
      blank[[resolve(properties[name]).type].flat()[0]] ?? null,
    ]),
  );
}

function tryForm(method, path, operation) {
  const parameters = operation.parameters ?? [];
  const inputs = parameters.map((parameter) => ({
    parameter,
    input: el("input", {
      placeholder: typeName(parameter.schema),
      autocomplete: "off",
      // Without it the path would be another one.
      required: parameter.in === "path" ? "" : undefined,
    }),
  }));
  const schema = jsonSchema(operation.requestBody);
  const body = schema && el("textarea", { spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(schema), null, 2);
  const output = el("div", { "aria-live": "polite" });
  const form = el(
    "form",
    {},
    el("h3", {}, "Try it"),
    ...inputs.map(({ parameter, input }) =>
      el("label", {}, `${parameter.name} (${parameter.in})`, input),
    ),
    body ? el("label", {}, "body", body) : null,
    el("button", { type: "submit" }, "Send"),
    output,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(request(method, path, inputs, body), output);
  });
  return form;
}

function request(method, path, inputs, body) {
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path")
      path = path.replace(
        `{${parameter.name}}`,
        encodeURIComponent(input.value),
      );
    else if (input.value === "") continue;
    else if (parameter.in === "query")
      query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  if (body) headers["content-type"] = "application/json";
  const search = query.size > 0 ? `?${query}` : "";
  return {
    url: base + path + search,
    init: {
      method: method.toUpperCase(),
      headers,
      ...(body ? { body: body.value } : {}),
    },
  };
}

/** Shows the answer as it comes: a stream grows on the page, and can be stopped. */
async function send({ url, init }, output) {
  const controller = new AbortController();
  const stop = el("button", { type: "button", class: "quiet" }, "Stop");
  stop.addEventListener("click", () => controller.abort());
  const status = el("p", {}, `${init.method} ${url} …`);
  const text = el("pre");
  output.replaceChildren(status, stop, text);
  try {
    const response = await fetch(url, { ...init, signal: controller.signal });
    status.textContent = `${init.method} ${url} → ${response.status} ${response.statusText}`;
    status.classList.toggle("bad", !response.ok);
    const reader = response.body
      ?.pipeThrough(new TextDecoderStream())
      .getReader();
    for (
      let part = await reader?.read();
      part && !part.done;
      part = await reader.read()
    )
      text.append(part.value);
    text.textContent = pretty(text.textContent);
  } catch (error) {
    if (error.name !== "AbortError")
      status.textContent = `${init.method} ${url}: ${error.message}`;
    status.classList.add("bad");
  } finally {
    stop.remove();
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // a stream, or nothing
  }
}

/** Filled when it is opened for the first time. */
function endpoint(method, path, operation) {
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("span", { class: "method" }, method.toUpperCase()),
      el("code", { class: "path" }, path),
      el("span", { class: "what" }, operation.summary ?? ""),
    ),
  );
  details.dataset.text =
    `${method} ${path} ${operation.summary ?? ""}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1)
      details.append(content(method, path, operation));
  });
  return details;
}

function content(method, path, operation) {
  const parameters = operation.parameters ?? [];
  const schema = jsonSchema(operation.requestBody);
  const rows = parameters.map((parameter) =>
    fieldRow(
      parameter.name,
      {
        description: parameter.description ?? parameter.in,
        ...parameter.schema,
      },
      parameter.required,
    ),
  );
  return el(
    "div",
    { class: "body" },
    operation.description ? el("p", {}, ...prose(operation.description)) : null,
    rows.length > 0 ? el("h3", {}, "Parameters") : null,
    rows.length > 0 ? el("table", {}, el("tbody", {}, ...rows)) : null,
    schema ? el("h3", {}, "Body") : null,
    schema ? schemaTable(schema) : null,
    el("h3", {}, "Responses"),
    ...responses(operation),
    tryForm(method, path, operation),
  );
}

function byTag() {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths ?? {}))
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? "Other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, endpoint(method, path, item[method])]);
    }
  // A collection before what is in it; the server matches them in another order.
  for (const [tag, endpoints] of groups) {
    endpoints.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    groups.set(
      tag,
      endpoints.map(([, element]) => element),
    );
  }
  return groups;
}

function filter(words) {
  for (const section of document.querySelectorAll("section")) {
    const shown = [...section.querySelectorAll("details")].filter((details) => {
      details.hidden = !words.every((word) =>
        details.dataset.text.includes(word),
      );
      return !details.hidden;
    });
    section.hidden = shown.length === 0;
  }
}

async function start() {
  const about = document.getElementById("about");
  try {
    const response = await fetch(`${base}/openapi.json`);
    if (!response.ok)
      throw new Error(`openapi.json answered ${response.status}`);
    api = await response.json();
  } catch (error) {
    about.textContent = `The description of the API did not load: ${error.message}`;
    about.classList.add("bad");
    return;
  }
  about.replaceChildren(
    `${api.info.description ?? ""} Version ${api.info.version}. `,
    el("a", { href: `${base}/openapi.json` }, "openapi.json"),
  );
  document
    .getElementById("groups")
    .append(
      ...[...byTag()].map(([tag, endpoints]) =>
        el("section", {}, el("h2", {}, tag), ...endpoints),
      ),
    );
  const search = document.getElementById("search");
  search.addEventListener("input", () =>
    filter(search.value.toLowerCase().split(/\s+/).filter(Boolean)),
  );
}

void start();
