// The modern era alone: tools that the suite calls to see how a server behaves around them.

import { fromJsonSchema, inputRequired } from "@modelcontextprotocol/server";

import { text } from "./samples.mjs";

const REGION_SCHEMA = {
  type: "object",
  properties: {
    region: { type: "string", "x-mcp-header": "Region" },
    query: { type: "string" },
  },
  required: ["region"],
};

/** `notify` tells the open subscriptions of all clients that a list changed. */
export function addModern(server, notify) {
  server.registerTool("test_missing_capability", { description: "Needs the client's model" }, () =>
    inputRequired({
      inputRequests: {
        question: inputRequired.createMessage({
          messages: [{ role: "user", content: { type: "text", text: "Hello" } }],
          maxTokens: 10,
        }),
      },
    }),
  );
  server.registerTool("test_logging_tool", { description: "Writes log messages if asked to" }, async (context) => {
    await context.mcpReq.log("info", "a message for those who set a log level");
    return text("done");
  });
  server.registerTool("test_trigger_tool_change", { description: "Changes the list of tools" }, () => {
    notify.toolsChanged();
    return text("changed");
  });
  server.registerTool("test_trigger_prompt_change", { description: "Changes the list of prompts" }, () => {
    notify.promptsChanged();
    return text("changed");
  });
  server.registerTool(
    "test_parameter_headers",
    { description: "Has a parameter that clients repeat in a header", inputSchema: fromJsonSchema(REGION_SCHEMA) },
    ({ region }) => text(`region: ${region}`),
  );
}
