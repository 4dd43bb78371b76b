// The conformance server: everything that the official suite asks a server for, in both protocol eras on one endpoint.
//
// It owns the transport: PORT from the environment (0 for a free one) on loopback, one line on standard output once it
// listens, the end on SIGTERM. What it offers is in the files of `surface/`. It must answer directly as a conforming
// server does: the tests compare that with the answers through Tollward.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

import {
  NodeStreamableHTTPServerTransport,
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler, isLegacyRequest } from "@modelcontextprotocol/server";

import { MemoryEvents } from "./events.mjs";
import { addContent } from "./surface/content.mjs";
import { addInputs, states } from "./surface/inputs.mjs";
import { addLegacy } from "./surface/legacy.mjs";
import { addModern } from "./surface/modern.mjs";
import { addPrompts } from "./surface/prompts.mjs";
import { addResources } from "./surface/resources.mjs";

const PATH = "/mcp";
const MAX_SESSIONS = 1000;

/** A server with all of its surface: for one request of the modern era, for one session of the legacy era. */
function conformanceServer({ era }) {
  const server = new McpServer(
    { name: "tollward-conformance", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
      },
      requestState: { verify: states.verify },
    },
  );
  addContent(server);
  addResources(server);
  addPrompts(server);
  if (era === "modern") {
    addInputs(server);
    addModern(server, modern.notify);
  } else {
    addLegacy(server);
  }
  return server;
}

const modern = createMcpHandler(conformanceServer, { legacy: "reject" });
const modernHandler = toNodeHandler(modern);

/** Transports of the legacy era by session id. */
const sessions = new Map();

async function openSession() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new MemoryEvents(),
    retryInterval: 1000,
    onsessioninitialized: (id) => {
      if (sessions.size >= MAX_SESSIONS) {
        const [oldest] = sessions.keys();
        sessions.delete(oldest);
      }
      sessions.set(id, transport);
    },
  });
  transport.onclose = () => sessions.delete(transport.sessionId);
  await conformanceServer({ era: "legacy" }).connect(transport);
  return transport;
}

async function legacyHandler(request, response, message) {
  const id = request.headers["mcp-session-id"];
  if (id === undefined && message?.method === "initialize") {
    const transport = await openSession();
    return transport.handleRequest(request, response, message);
  }
  const transport = sessions.get(id);
  if (transport !== undefined) {
    return transport.handleRequest(request, response, message);
  }
  const [status, text] = id === undefined ? [400, "the session id is missing"] : [404, "the session is unknown"];
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32001, message: text } }));
}

const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();

async function handle(request, response) {
  if (!hostIsLocal(request, response) || !originIsLocal(request, response)) {
    return;
  }
  if (new URL(request.url, "http://localhost").pathname !== PATH) {
    response.writeHead(404);
    response.end();
    return;
  }
  const whole = await toWebRequest(request);
  const legacy = await isLegacyRequest(whole);
  const message = request.method === "POST" ? await whole.json().catch(() => undefined) : undefined;
  await (legacy ? legacyHandler(request, response, message) : modernHandler(request, response, message));
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) {
      response.writeHead(500);
    }
    response.end();
  });
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    setImmediate(() => process.exit(0));
  });
}
server.listen(Number(process.env.PORT ?? "0"), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}${PATH}`);
});
