// mcp-remote between an application that knows only local servers and a guarded one, without a person in front of it.
//
// The application is the official TypeScript SDK on standard input and output, as desktop applications run mcp-remote.
// Discovery, registration, PKCE and step-up are mcp-remote's own; its "browser" is the person of `person.mjs`. The
// arguments and the answer are those of `typescript-client.mjs`; README.md says what differs.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

import { browserProgram } from "./person.mjs";

const PACKAGE = new URL("node_modules/mcp-remote/", import.meta.url);

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    call: { type: "string" },
    args: { type: "string", default: "{}" },
    list: { type: "boolean", default: false },
    "step-up": { type: "boolean", default: false },
    user: { type: "string" },
    password: { type: "string" },
    "broker-name": { type: "string" },
    token: { type: "string" },
    protocol: { type: "string", default: "auto" },
    "client-id": { type: "string" },
    "client-metadata-url": { type: "string" },
    timeout: { type: "string", default: "60" },
  },
});
if (options.url === undefined) {
  throw new Error("pass --url with the address of an MCP server");
}
if (!["auto", "legacy"].includes(options.protocol)) {
  throw new Error(`mcp-remote can't be kept to revision ${options.protocol}: pass auto or legacy`);
}

const folder = mkdtempSync(join(tmpdir(), "mcp-remote-"));
const notes = join(folder, "visits");
const { version } = JSON.parse(readFileSync(new URL("package.json", PACKAGE), "utf8"));
const report = {
  sdk: `mcp-remote ${version}`,
  // What is agreed on with the server stays between mcp-remote and the server.
  protocolVersion: null,
  resourceMetadata: null,
  authorizationServer: null,
  clientId: null,
  scopes: null,
  authorizations: 0,
  tools: null,
  result: null,
  error: null,
};

function programArguments() {
  const program = [fileURLToPath(new URL("dist/proxy.js", PACKAGE)), options.url];
  program.push("--transport", "http-only", "--protocol", options.protocol, "--allow-http");
  program.push("--auth-timeout", options.timeout);
  if (options.token !== undefined) program.push("--header", `Authorization:Bearer ${options.token}`);
  if (options["client-id"] !== undefined) {
    program.push("--static-oauth-client-info", JSON.stringify({ client_id: options["client-id"] }));
  }
  if (options["client-metadata-url"] !== undefined) {
    // A document can name any port of a loopback address, but not of a host name.
    program.push("--client-metadata-url", options["client-metadata-url"], "--host", "127.0.0.1");
  }
  return program;
}

function transport() {
  const browser = join(folder, "browser.mjs");
  const person = { name: options["broker-name"], user: options.user, password: options.password };
  browserProgram(browser, notes, person);
  return new StdioClientTransport({
    command: process.execPath,
    args: programArguments(),
    // Nothing else: on a desktop the variables of the session would lead to a real browser.
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      BROWSER: browser,
      MCP_REMOTE_CONFIG_DIR: folder,
      ...(process.env.NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS }),
    },
    stderr: "inherit",
  });
}

async function run(client) {
  await client.connect(transport(), { timeout: Number(options.timeout) * 1000 });
  if (options.list) {
    const { tools } = await client.listTools();
    report.tools = tools.map((tool) => tool.name);
  }
  if (options.call !== undefined) {
    report.result = await client.callTool({ name: options.call, arguments: JSON.parse(options.args) });
  }
}

/** mcp-remote passes on the body of a refusal as text alone; Tollward's has the status in it. */
function statusIn(message) {
  try {
    return JSON.parse(message.slice(message.indexOf("{"))).error.code;
  } catch {
    return null;
  }
}

/** Reads in mcp-remote's own files what it found and got. */
function readFiles() {
  const kept = join(folder, "mcp-remote-v1");
  const read = (end) => {
    const name = readdirSync(kept).find((name) => name.endsWith(end));
    return name === undefined ? {} : JSON.parse(readFileSync(join(kept, name), "utf8"));
  };
  report.clientId = options["client-id"] ?? read("_client_info.json").client_id ?? options["client-metadata-url"] ?? null;
  report.scopes = read("_tokens.json").scope?.split(" ") ?? null;
  const lines = readFileSync(notes, "utf8").trim().split("\n").map(JSON.parse);
  report.authorizations = lines.length;
  report.visits = lines;
}

const deadline = new Promise((_resolve, reject) => {
  const seconds = Number(options.timeout);
  setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000).unref();
});
const client = new Client({ name: "Tollward test client", version: "1.0.0" });
try {
  await Promise.race([run(client), deadline]);
} catch (error) {
  report.error = { name: error.name, message: error.message, code: error.code ?? null, status: statusIn(error.message) };
}
await client.close();
try {
  readFiles();
} catch (error) {
  // A server that asks nobody to sign in leaves nothing behind.
  if (error.code !== "ENOENT") throw error;
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.error === null ? 0 : 1));
