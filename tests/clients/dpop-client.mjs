// A program with a key: it gets a DPoP-bound token by client credentials and calls a tool with it, by `openid-client`, which
// knows nothing of Tollward. Then it does with the token what a thief would.
//
// Reads {issuer, clientId, clientSecret, resource, scope, call} from the file named by its argument and prints one line of JSON.

import { readFile } from "node:fs/promises";
import * as client from "openid-client";

const asked = JSON.parse(await readFile(process.argv[2], "utf8"));
const insecure = [client.allowInsecureRequests];
const config = await client.discovery(new URL(asked.issuer), asked.clientId, asked.clientSecret, undefined, {
  execute: insecure,
});

const keys = await client.randomDPoPKeyPair("ES256");
const handle = client.getDPoPHandle(config, keys);
const wanted = { resource: asked.resource, scope: asked.scope };
const granted = await client.clientCredentialsGrant(config, wanted, { DPoP: handle });

const endpoint = new URL(asked.resource);
const body = JSON.stringify(asked.call);
const headers = () =>
  new Headers({
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": asked.call.method,
    "mcp-name": asked.call.params.name,
  });

/** The status and the answer. The library raises what has a challenge, and repeats a request that only lacks a nonce. */
async function send(token, DPoP) {
  try {
    const answer = await client.fetchProtectedResource(config, token, endpoint, "POST", body, headers(), DPoP && { DPoP });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    if (!(error instanceof client.WWWAuthenticateChallengeError)) {
      throw error;
    }
    const [challenge] = error.cause;
    return { status: error.status, scheme: challenge.scheme, error: challenge.parameters.error };
  }
}

const answers = {
  tokenType: granted.token_type,
  first: await send(granted.access_token, handle),
  second: await send(granted.access_token, handle),
  asBearer: await send(granted.access_token),
  withAnotherKey: await send(
    granted.access_token,
    client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256")),
  ),
};
console.log(JSON.stringify(answers));
