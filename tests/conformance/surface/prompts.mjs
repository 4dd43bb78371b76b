// Prompts of both eras, and the completion of their arguments.

import { fromJsonSchema } from "@modelcontextprotocol/server";

import { PNG } from "./samples.mjs";

const strings = (...names) =>
  fromJsonSchema({
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
    required: names,
  });

const said = (...contents) => ({ messages: contents.map((content) => ({ role: "user", content })) });
const words = (text) => ({ type: "text", text });

export function addPrompts(server) {
  server.registerPrompt("test_simple_prompt", { description: "A text" }, () =>
    said(words("This is a simple prompt for testing.")),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "A text with two arguments", argsSchema: strings("arg1", "arg2") },
    ({ arg1, arg2 }) => said(words(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "A resource", argsSchema: strings("resourceUri") },
    ({ resourceUri }) =>
      said(
        {
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." },
        },
        words("Please process the embedded resource above."),
      ),
  );
  server.registerPrompt("test_prompt_with_image", { description: "An image" }, () =>
    said({ type: "image", data: PNG, mimeType: "image/png" }, words("Please analyze the image above.")),
  );
  server.server.setRequestHandler("completion/complete", ({ params }) => {
    const values = ["paris", "park", "party"].filter((value) => value.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
}
