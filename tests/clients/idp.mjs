// An identity provider for tests and demonstrations: the certified `oidc-provider`, with a user who signs in and consents
// at once, or on a page that takes any known name.
//
// It owns nothing of OAuth itself; it only configures the library to behave as a company's provider does (discovery,
// dynamic registration, PKCE S256, resource indicators, JWT access tokens of RFC 9068, refresh tokens, client
// credentials) and adds a few addresses under /test that no real provider has. README.md lists the environment.

import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

import Provider, { errors } from "oidc-provider";

// Standard output carries one line for the test that started this program; the library's notices must not mix in.
console.info = console.error;

const MAX_RECORDED_REQUESTS = 1000;
const MAX_BODY_BYTES = 64 * 1024;
const OPENID_SCOPES = ["openid", "profile", "email", "offline_access"];

const settings = {
  host: process.env.HOST ?? "127.0.0.1",
  port: Number(process.env.PORT ?? "0"),
  issuer: process.env.ISSUER,
  consentPage: process.env.CONSENT_PAGE === "true",
  resources: JSON.parse(process.env.RESOURCES ?? "{}"),
  users: JSON.parse(process.env.USERS ?? '{"alice": {"tier": "basic"}}'),
  signInAs: process.env.SIGN_IN_AS,
  clients: JSON.parse(process.env.CLIENTS ?? '[{"client_id": "robot", "client_secret": "robot-secret"}]'),
  clientDocuments: JSON.parse(process.env.CLIENT_DOCUMENTS ?? "{}"),
  algorithm: process.env.SIGNING_ALG ?? "RS256",
  accessTokenSeconds: Number(process.env.ACCESS_TOKEN_TTL ?? "300"),
  certificate: process.env.TLS_CERT,
  privateKey: process.env.TLS_KEY,
  limitRegisteredScope: process.env.LIMIT_REGISTERED_SCOPE === "true",
};
if (!["RS256", "ES256"].includes(settings.algorithm)) {
  throw new Error(`SIGNING_ALG is ${settings.algorithm}: write RS256 or ES256`);
}
if (Object.keys(settings.users).length === 0) {
  throw new Error("USERS names nobody: write at least one user");
}

// The members of each user's or client's entry become claims of its access tokens.
const claimsOf = new Map(Object.entries(settings.users));
const staticClients = settings.clients.map(({ claims, ...metadata }) => {
  claimsOf.set(metadata.client_id, claims ?? {});
  return {
    grant_types: metadata.redirect_uris ? ["authorization_code", "refresh_token"] : ["client_credentials"],
    redirect_uris: [],
    response_types: metadata.redirect_uris ? ["code"] : [],
    ...metadata,
  };
});

function newKeys() {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  return [{ ...rsa, alg: "RS256", use: "sig" }, { ...ec, alg: "ES256", use: "sig" }];
}

function resourceServer(_context, indicator) {
  const resource = Object.hasOwn(settings.resources, indicator) ? settings.resources[indicator] : undefined;
  if (!resource) {
    throw new errors.InvalidTarget(`no resource ${indicator} is known here`);
  }
  return {
    scope: resource.scopes.join(" "),
    audience: resource.audience ?? indicator,
    accessTokenTTL: resource.ttl ?? settings.accessTokenSeconds,
    accessTokenFormat: resource.format ?? "jwt",
    jwt: { sign: { alg: settings.algorithm } },
  };
}

function configuration(keys) {
  const scopes = Object.values(settings.resources).flatMap((resource) => resource.scopes);
  return {
    jwks: { keys },
    clients: staticClients,
    scopes: [...new Set([...OPENID_SCOPES, ...scopes])],
    claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
    responseTypes: ["code"],
    pkce: { required: () => true },
    cookies: { keys: ["only for tests"] },
    ttl: { AccessToken: settings.accessTokenSeconds, ClientCredentials: settings.accessTokenSeconds },
    // Most providers return a refresh token to a client that registered the grant, without `offline_access`.
    issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
    findAccount: (_context, id) => (Object.hasOwn(settings.users, id) ? account(id) : undefined),
    extraTokenClaims: (_context, token) => claimsOf.get(token.accountId ?? token.clientId),
    // Stands for the web servers of the clients, which would have to be reached by https.
    fetch: (url, options) =>
      Object.hasOwn(settings.clientDocuments, String(url))
        ? Response.json({ ...settings.clientDocuments[url], client_id: String(url) })
        : fetch(url, options),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      clientIdMetadataDocument: {
        enabled: Object.keys(settings.clientDocuments).length > 0,
        ack: "draft-02",
        allowFetch: (_context, url) => Object.hasOwn(settings.clientDocuments, url),
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: resourceServer,
        // A token request without `resource` still gets a token for the resource that was consented to.
        useGrantedResource: () => true,
      },
    },
  };
}

function account(id) {
  return { accountId: id, claims: () => ({ sub: id, name: id, email: `${id}@example.com` }) };
}

function startProvider(issuer, keys) {
  const provider = new Provider(issuer, configuration(keys));
  provider.on("server_error", (_context, error) => console.error(error));
  return provider;
}

/** Signs in whom the request hints at or the page names, and consents to all that was asked for. */
async function interact(provider, request, response) {
  const { uid, prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login" && settings.consentPage) {
    if (request.method !== "POST") {
      const client = await provider.Client.find(params.client_id);
      return sendPage(response, consentPage(uid, client, params));
    }
    const form = new URLSearchParams(await readBody(request));
    const user = form.get("name") ?? "";
    const agreed = form.get("decision") === "approve" && Object.hasOwn(settings.users, user);
    const result = agreed ? { login: { accountId: user } } : { error: "access_denied" };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  if (prompt.name === "login") {
    const user = params.login_hint ?? settings.signInAs ?? Object.keys(settings.users)[0];
    const result = Object.hasOwn(settings.users, user)
      ? { login: { accountId: user } }
      : { error: "access_denied", error_description: `no user ${user} is known here` };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const { Grant } = provider;
  const grant = grantId
    ? await Grant.find(grantId)
    : new Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
  grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(" "));
  }
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

/** One page for both questions: who signs in, and whether the client may have what it asks for. */
function consentPage(uid, client, params) {
  const indicator = [params.resource].flat()[0] ?? "";
  const resource = Object.hasOwn(settings.resources, indicator) ? settings.resources[indicator] : { scopes: [] };
  const scopes = (params.scope ?? "").split(" ").filter((scope) => resource.scopes.includes(scope));
  const items = scopes.map((scope) => {
    const meaning = resource.descriptions?.[scope] ?? "";
    return `<li>${escapeHtml(meaning)} <code>${escapeHtml(scope)}</code></li>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head><body><main>
<h1>Allow access to ${escapeHtml(resource.name ?? indicator)}?</h1>
<p>An application that calls itself <strong>${escapeHtml(client?.clientName ?? "nothing")}</strong> asks for permission to</p>
<ul>${items.join("")}</ul>
<form method="post" action="/interaction/${escapeHtml(uid)}">
<p>For demonstrations: any of ${escapeHtml(Object.keys(settings.users).join(", "))} signs in without proof.</p>
<p><label for="name">Your name</label> <input id="name" name="name" type="text" required></p>
<p><button type="submit" name="decision" value="approve">Allow</button>
<button type="submit" name="decision" value="refuse" formnovalidate>Refuse</button></p>
</form></main></body></html>
`;
}

function escapeHtml(text) {
  const references = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (letter) => references[letter]);
}

function sendPage(response, page) {
  response.writeHead(200, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  });
  response.end(page);
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new Error("the request body is too large");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function sendJson(response, value) {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

async function main() {
  let keys = newKeys();
  let provider;
  let recorded = [];

  /** Publishes new signing keys; the earlier ones stay published unless `keep=false`. */
  const rotate = (url, issuer) => {
    const earlier = url.searchParams.get("keep") === "false" ? [] : keys;
    keys = [...newKeys(), ...earlier];
    // The library reads its keys once, and its storage belongs to the module: a new provider goes on with the same
    // clients, grants and sessions.
    provider = startProvider(issuer, keys);
  };

  /** Adds resources; each may have no scope that the provider did not know when it started. */
  const addResources = (body) => {
    Object.assign(settings.resources, JSON.parse(body));
    return Object.keys(settings.resources);
  };

  const handle = async (request, response) => {
    const issuer = provider.issuer;
    const url = new URL(request.url, issuer);
    const route = `${request.method} ${url.pathname}`;
    if (route === "POST /test/rotate") {
      rotate(url, issuer);
      return sendJson(response, { keys: keys.length });
    }
    if (route === "PUT /test/resources") {
      return sendJson(response, addResources(await readBody(request)));
    }
    if (route === "GET /test/requests") {
      return sendJson(response, recorded);
    }
    if (route === "DELETE /test/requests") {
      recorded = [];
      return sendJson(response, recorded);
    }
    if (url.pathname.startsWith("/interaction/")) {
      return interact(provider, request, response);
    }
    let body = request.method === "POST" ? await readBody(request) : "";
    if (recorded.length < MAX_RECORDED_REQUESTS) {
      recorded.push(describe(request, url, body));
    }
    if (route === "POST /reg" && !settings.limitRegisteredScope) {
      body = withoutScope(body);
    }
    // The library takes a body that was read before from here.
    request.body = body === "" ? undefined : body;
    return provider.callback()(request, response);
  };

  const listener = (request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) {
        response.writeHead(400, { "content-type": "text/plain" });
      }
      response.end(String(error.message));
    });
  };
  const secure = settings.certificate !== undefined;
  const server = secure
    ? https.createServer(
        { cert: readFileSync(settings.certificate), key: readFileSync(settings.privateKey) },
        listener,
      )
    : http.createServer(listener);
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.once(signal, () => {
      server.close();
      server.closeAllConnections();
    });
  }
  server.listen(settings.port, settings.host, () => {
    const { port } = server.address();
    provider = startProvider(settings.issuer ?? `${secure ? "https" : "http"}://127.0.0.1:${port}`, keys);
    console.log(JSON.stringify({ issuer: provider.issuer, port }));
  });
}

/**
 * A registration without its `scope`. The SDKs register with the scopes of the first challenge; a provider that takes
 * them for a limit, as this library does, refuses every later step-up.
 */
function withoutScope(registration) {
  const { scope: _dropped, ...metadata } = JSON.parse(registration);
  return JSON.stringify(metadata);
}

/** What a test may want to know of a request: never its secrets. */
function describe(request, url, body) {
  const secrets = ["code", "code_verifier", "client_secret", "refresh_token", "token", "client_assertion"];
  const parameters = Object.fromEntries(url.searchParams);
  if (request.headers["content-type"]?.startsWith("application/json")) {
    Object.assign(parameters, JSON.parse(body));
  } else {
    Object.assign(parameters, Object.fromEntries(new URLSearchParams(body)));
  }
  for (const name of secrets.filter((name) => Object.hasOwn(parameters, name))) {
    parameters[name] = "(present)";
  }
  return { method: request.method, path: url.pathname, parameters };
}

await main();
