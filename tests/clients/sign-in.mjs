// Signs a person in at an authorization server and prints the token endpoint's answer: authorization code with PKCE, for a
// public client that is registered already, by what the server's metadata says.

import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";

import { signIn } from "./browser.mjs";

const REDIRECT_URI = "http://127.0.0.1:33418/callback";

const { values: options } = parseArgs({
  options: {
    issuer: { type: "string" },
    "client-id": { type: "string" },
    scope: { type: "string" },
    user: { type: "string" },
    password: { type: "string" },
  },
});

const metadata = await (await fetch(`${options.issuer}/.well-known/openid-configuration`)).json();
if (metadata.issuer !== options.issuer) {
  throw new Error(`the metadata of ${options.issuer} names another issuer: ${metadata.issuer}`);
}
const verifier = randomBytes(32).toString("base64url");
const state = randomBytes(16).toString("base64url");
const authorizationUrl = new URL(metadata.authorization_endpoint);
authorizationUrl.search = new URLSearchParams({
  response_type: "code",
  client_id: options["client-id"],
  redirect_uri: REDIRECT_URI,
  scope: options.scope,
  state,
  code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  code_challenge_method: "S256",
});
const person = { user: options.user, password: options.password };
const answer = await signIn({ authorizationUrl, redirectUri: REDIRECT_URI, person, fetch });
if (answer.get("state") !== state || !answer.has("code")) {
  throw new Error(`the authorization server answered ${answer}`);
}
const response = await fetch(metadata.token_endpoint, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "authorization_code",
    code: answer.get("code"),
    redirect_uri: REDIRECT_URI,
    client_id: options["client-id"],
    code_verifier: verifier,
  }),
});
console.log(JSON.stringify(await response.json()));
