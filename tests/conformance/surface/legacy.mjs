// The legacy era alone: requests of the server to the client in the middle of a call, log messages, a stream that is
// closed early, subscriptions.
//
// What belongs to a call goes by `mcpReq.send` and `mcpReq.notify` onto the stream of that call. `elicitInput` and its kin
// of the SDK use the session's own stream, which a client may open later than it calls: the question would be lost.

import { setTimeout } from "node:timers/promises";

import { fromJsonSchema } from "@modelcontextprotocol/server";

import { text } from "./samples.mjs";

const STEP_MS = 50;

/** Long enough for a client to notice the end of its stream and to open another one. */
const RECONNECTION_MS = 100;

const DEFAULTS = {
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
  verified: { type: "boolean", default: true },
};

const OPTIONS = ["option1", "option2", "option3"];
const titled = (...titles) => titles.map((title, index) => ({ const: `value${index + 1}`, title }));
const ENUMS = {
  untitledSingle: { type: "string", enum: OPTIONS },
  titledSingle: { type: "string", oneOf: titled("First Option", "Second Option", "Third Option") },
  legacyEnum: {
    type: "string",
    enum: ["opt1", "opt2", "opt3"],
    enumNames: ["Option One", "Option Two", "Option Three"],
  },
  untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
  titledMulti: { type: "array", items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") } },
};

export function addLegacy(server) {
  server.registerTool("test_tool_with_logging", { description: "Writes log messages" }, async (context) => {
    for (const step of ["started", "processing data", "completed"]) {
      const params = { level: "info", data: `Tool execution ${step}` };
      await context.mcpReq.notify({ method: "notifications/message", params });
      await setTimeout(STEP_MS);
    }
    return text("logged");
  });
  server.registerTool("test_reconnection", { description: "Closes its stream before it answers" }, async (context) => {
    context.http?.closeSSE?.();
    await setTimeout(RECONNECTION_MS);
    return text("answered on the stream that was opened again");
  });
  addQuestions(server);
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
}

function addQuestions(server) {
  const one = (name) =>
    fromJsonSchema({ type: "object", properties: { [name]: { type: "string" } }, required: [name] });
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model", inputSchema: one("prompt") },
    async ({ prompt }, context) => {
      const messages = [{ role: "user", content: { type: "text", text: prompt } }];
      const params = { messages, maxTokens: 100 };
      const { content } = await context.mcpReq.send({ method: "sampling/createMessage", params });
      return text(`LLM response: ${content.text}`);
    },
  );
  server.registerTool(
    "test_elicitation",
    { description: "Asks the user", inputSchema: one("message") },
    async ({ message }, context) =>
      elicited(context, message, { response: { type: "string", description: "User's response" } }, ["response"]),
  );
  server.registerTool("test_elicitation_sep1034_defaults", { description: "Asks with defaults" }, (context) =>
    elicited(context, "Check these values", DEFAULTS),
  );
  server.registerTool("test_elicitation_sep1330_enums", { description: "Asks for choices" }, (context) =>
    elicited(context, "Choose", ENUMS),
  );
}

async function elicited(context, message, properties, required = []) {
  const params = { mode: "form", message, requestedSchema: { type: "object", properties, required } };
  const { action, content } = await context.mcpReq.send({ method: "elicitation/create", params });
  return text(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`);
}
