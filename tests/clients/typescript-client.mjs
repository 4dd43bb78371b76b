// A real MCP client on the official TypeScript SDK, without a person in front of it.
//
// It connects, signs in if it is asked to, lists and calls, and prints one line of JSON that says what happened. It
// does nothing an application on the SDK would not do: discovery, registration, PKCE and step-up are the SDK's own.
// README.md lists the arguments and the members of the answer.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { signIn } from "./browser.mjs";

const REDIRECT_URI = "http://127.0.0.1:33418/callback";
const MAX_TRACED_REQUESTS = 200;
/** Releases of the older SDK: the last one, and the last ones whose newest revision was that. */
const OLDER = {
  1: "@modelcontextprotocol/sdk",
  "2025-06-18": "sdk-2025-06-18",
  "2025-03-26": "sdk-2025-03-26",
};
const plainFetch = globalThis.fetch;
/** What the server answered to `initialize`: the oldest SDK does not tell. */
let agreed = null;
/** HTTP status of the MCP server's last answer: some errors of the SDK don't carry it. */
let lastStatus = null;

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    call: { type: "string" },
    args: { type: "string", default: "{}" },
    list: { type: "boolean", default: false },
    "step-up": { type: "boolean", default: false },
    "broker-name": { type: "string" },
    user: { type: "string" },
    password: { type: "string" },
    token: { type: "string" },
    "client-id": { type: "string" },
    "client-metadata-url": { type: "string" },
    "client-name": { type: "string", default: "Tollward test client" },
    protocol: { type: "string", default: "auto" },
    sdk: { type: "string", default: "2" },
    "no-refresh": { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    timeout: { type: "string", default: "60" },
  },
});
if (options.url === undefined) {
  throw new Error("pass --url with the address of an MCP server");
}

const report = {
  sdk: null,
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

/** The two generations of the SDK, behind one shape. */
async function loadSdk() {
  const version = (name) =>
    JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
  if (options.sdk !== "2") {
    const folder = OLDER[options.sdk];
    const { Client } = await import(`${folder}/client/index.js`);
    const { StreamableHTTPClientTransport } = await import(`${folder}/client/streamableHttp.js`);
    const { UnauthorizedError } = await import(`${folder}/client/auth.js`);
    // The oldest one takes no `fetch` of the application's.
    globalThis.fetch = tracedFetch;
    return {
      name: `@modelcontextprotocol/sdk ${version(folder)}`,
      Transport: StreamableHTTPClientTransport,
      UnauthorizedError,
      newClient: (information) => new Client(information),
      protocolVersion: (_client, transport) => transport.protocolVersion ?? agreed,
      finish: (transport, answer) => transport.finishAuth(answer.get("code")),
    };
  }
  const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import("@modelcontextprotocol/client");
  const mode = ["auto", "legacy"].includes(options.protocol) ? options.protocol : { pin: options.protocol };
  return {
    name: `@modelcontextprotocol/client ${version("@modelcontextprotocol/client")}`,
    Transport: StreamableHTTPClientTransport,
    UnauthorizedError,
    newClient: (information) => new Client(information, { versionNegotiation: { mode } }),
    protocolVersion: (client) => client.getNegotiatedProtocolVersion(),
    finish: (transport, answer) => transport.finishAuth(answer),
  };
}

/** What the SDK asks of an application that wants OAuth; everything is kept in memory. */
class MemoryProvider {
  #information = options["client-id"] && { client_id: options["client-id"] };
  #tokens;
  #verifier;
  #state;
  #discovery;
  /** The query of the last redirect back from the authorization server. */
  answer;

  get redirectUrl() {
    return REDIRECT_URI;
  }

  get clientMetadataUrl() {
    return options["client-metadata-url"];
  }

  get clientMetadata() {
    return {
      client_name: options["client-name"],
      redirect_uris: [REDIRECT_URI],
      grant_types: options["no-refresh"] ? ["authorization_code"] : ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  state() {
    this.#state = randomUUID();
    return this.#state;
  }

  clientInformation() {
    report.clientId = this.#information?.client_id ?? null;
    return this.#information;
  }

  saveClientInformation(information) {
    this.#information = information;
    report.clientId = information.client_id;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
    report.scopes = tokens.scope?.split(" ") ?? null;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  saveDiscoveryState(state) {
    this.#discovery = state;
    report.resourceMetadata = state.resourceMetadata ?? null;
    report.authorizationServer = state.authorizationServerMetadata?.issuer ?? state.authorizationServerUrl;
  }

  discoveryState() {
    return this.#discovery;
  }

  invalidateCredentials(scope) {
    if (scope === "all" || scope === "client") this.#information = undefined;
    if (scope === "all" || scope === "tokens") this.#tokens = undefined;
    if (scope === "all" || scope === "discovery") this.#discovery = undefined;
  }

  async redirectToAuthorization(authorizationUrl) {
    if (report.authorizations > 0 && !options["step-up"]) {
      throw new Error("the server asks for a second authorization: pass --step-up to allow it");
    }
    report.authorizations += 1;
    if (options.user !== undefined) {
      authorizationUrl.searchParams.set("login_hint", options.user);
    }
    this.answer = await signIn({
      authorizationUrl,
      redirectUri: REDIRECT_URI,
      person: { name: options["broker-name"], user: options.user, password: options.password },
      fetch: tracedFetch,
    });
    if ((this.answer.get("state") ?? undefined) !== this.#state) {
      throw new Error("the authorization server returned another state");
    }
    if (this.answer.has("error")) {
      const error = new Error(this.answer.get("error_description") ?? this.answer.get("error"));
      error.name = "AuthorizationError";
      error.code = this.answer.get("error");
      throw error;
    }
  }
}

/** `fetch`, which remembers what a test may want to know of each request: never a secret. */
async function tracedFetch(input, init) {
  const response = await plainFetch(input, init);
  await noteAgreement(init?.body, response);
  if (String(input instanceof Request ? input.url : input) === new URL(options.url).href) {
    lastStatus = response.status;
  }
  if (options.trace && (report.requests ??= []).length < MAX_TRACED_REQUESTS) {
    const headers = new Headers(init?.headers);
    const url = new URL(input instanceof Request ? input.url : input);
    const mcpHeaders = [...headers].filter(([name]) => name.startsWith("mcp-") || name === "accept");
    report.requests.push({
      method: init?.method ?? "GET",
      url: `${url.origin}${url.pathname}`,
      parameters: [...url.searchParams.keys(), ...bodyKeys(init?.body)],
      headers: Object.fromEntries(mcpHeaders),
      authorization: headers.get("authorization")?.split(" ")[0] ?? null,
      status: response.status,
    });
  }
  return response;
}

/** Reads the revision in the answer to `initialize`. */
async function noteAgreement(body, response) {
  if (typeof body !== "string" || !response.ok || !bodyKeys(body).includes("initialize")) return;
  const text = await response.clone().text();
  agreed = text.match(/"protocolVersion"\s*:\s*"([^"]+)"/)?.[1] ?? null;
}

function bodyKeys(body) {
  if (body instanceof URLSearchParams) return [...body.keys()];
  if (typeof body !== "string") return [];
  try {
    const message = JSON.parse(body);
    return message.jsonrpc === undefined ? Object.keys(message) : [message.method];
  } catch {
    return [...new URLSearchParams(body).keys()];
  }
}

async function run() {
  const sdk = await loadSdk();
  report.sdk = sdk.name;
  const provider = new MemoryProvider();
  const authorization =
    options.token === undefined
      ? { authProvider: provider }
      : { requestInit: { headers: { authorization: `Bearer ${options.token}` } } };
  const newTransport = () =>
    new sdk.Transport(new URL(options.url), {
      ...authorization,
      fetch: tracedFetch,
      onInsufficientScope: options["step-up"] ? "reauthorize" : "throw",
    });

  let client;
  let transport;
  const connect = async () => {
    client = sdk.newClient({ name: options["client-name"], version: "1.0.0" });
    transport = newTransport();
    await client.connect(transport);
  };
  /** Does `step`; if the SDK sent the user to sign in meanwhile, finishes that and does it once more. */
  const authorized = async (step) => {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof sdk.UnauthorizedError) || provider.answer === undefined) throw error;
      const answer = provider.answer;
      provider.answer = undefined;
      await sdk.finish(transport, answer);
      return step();
    }
  };

  await authorized(connect);
  report.protocolVersion = sdk.protocolVersion(client, transport) ?? null;
  if (options.list) {
    const { tools } = await authorized(() => client.listTools());
    report.tools = tools.map((tool) => tool.name);
  }
  if (options.call !== undefined) {
    const call = { name: options.call, arguments: JSON.parse(options.args) };
    report.result = await authorized(() => client.callTool(call));
  }
  await transport.terminateSession?.();
  await client.close();
}

function describe(error) {
  const code = error.code ?? error.cause?.code ?? null;
  const status = error.status ?? error.data?.status ?? (lastStatus >= 400 ? lastStatus : null);
  return { name: error.name, message: error.message, code, status };
}

const deadline = new Promise((_resolve, reject) => {
  const seconds = Number(options.timeout);
  setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000).unref();
});
try {
  await Promise.race([run(), deadline]);
} catch (error) {
  report.error = describe(error);
}
// Streams that the SDK holds open would keep the process alive.
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.error === null ? 0 : 1));
