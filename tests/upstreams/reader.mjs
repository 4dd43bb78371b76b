// An HTTP server on Node.js's own library that writes what it reads, one line of JSON for each request.

import { createServer } from "node:http";

function message(body) {
  try {
    const { id, method, params } = JSON.parse(body.toString("utf8"));
    return { id, method, name: params?.name, arguments: params?.arguments };
  } catch (error) {
    return { error: String(error) };
  }
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const headers = [];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    headers.push([request.rawHeaders[index].toLowerCase(), request.rawHeaders[index + 1]]);
  }
  const read = { method: request.method, target: request.url, headers, body: body.toString("base64") };
  const messages = request.method === "POST" ? { strict: message(body) } : {};
  console.log(JSON.stringify({ ...read, messages }));
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n");
  } else if (request.method === "DELETE") {
    response.writeHead(204).end();
  } else {
    const id = messages.strict.id ?? 1;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { content: [] } }));
  }
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/inside/mcp`);
});
