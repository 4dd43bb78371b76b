// Resources of both eras: text, bytes, a template, and one to subscribe to.

import { ResourceTemplate } from "@modelcontextprotocol/server";

import { PNG } from "./samples.mjs";

export function addResources(server) {
  const add = (name, mimeType, content) =>
    server.registerResource(name, `test://${name}`, { description: `The resource ${name}`, mimeType }, (uri) => ({
      contents: [{ uri: uri.href, mimeType, ...content }],
    }));
  add("static-text", "text/plain", { text: "This is the content of the static text resource." });
  add("static-binary", "image/png", { blob: PNG });
  add("watched-resource", "text/plain", { text: "This resource may be watched." });
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "One record", mimeType: "application/json" },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
}
