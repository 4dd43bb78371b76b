// Who sits in front of a client that opens a web browser: opens the authorization URL, signs in and approves by
// `browser.mjs`, and says where the authorization server sent the browser back to.
//
// `node person.mjs URL` prints that address, for a client that wants to be told. A client that listens for its browser
// gets a file from `browserProgram`, which goes there.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { signIn } from "./browser.mjs";

const LISTENING_MS = 60_000;
const PAUSE_MS = 50;

/** The address that a person ends at who opens `url`. */
export async function visit(url, person) {
  const authorizationUrl = new URL(url);
  const redirectUri = authorizationUrl.searchParams.get("redirect_uri");
  if (redirectUri === null) {
    throw new Error("the authorization URL has no redirect_uri");
  }
  if (person.user !== undefined) {
    authorizationUrl.searchParams.set("login_hint", person.user);
  }
  const end = new URL(redirectUri);
  end.search = (await signIn({ authorizationUrl, redirectUri, person, fetch })).toString();
  return end;
}

/** Opens the client's own address. A client may begin to listen there after it opened the browser: people are slower. */
export async function returnTo(url) {
  const deadline = Date.now() + LISTENING_MS;
  for (;;) {
    try {
      const response = await fetch(url);
      return await response.body?.cancel();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/**
 * Writes a program that does what a web browser does with the URL it is started with, and keeps a line of JSON for each
 * start, and for what goes wrong, in the file `notes`. It ends with success in any case: what starts it would look for
 * another browser.
 */
export function browserProgram(path, notes, person) {
  const program = `#!${process.execPath}
import { appendFileSync } from "node:fs";
import { returnTo, visit } from ${JSON.stringify(import.meta.url)};
const scopes = new URL(process.argv[2]).searchParams.get("scope")?.split(" ") ?? null;
const note = (error) => appendFileSync(${JSON.stringify(notes)}, JSON.stringify({ scopes, error }) + "\\n");
try {
  const end = await visit(process.argv[2], ${JSON.stringify(person)});
  // Before the client goes on, which may be done with all before this program is.
  note(null);
  await returnTo(end);
} catch (error) {
  note(error.message);
}
`;
  writeFileSync(path, program, { mode: 0o700 });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { user: { type: "string" }, password: { type: "string" }, "broker-name": { type: "string" } },
  });
  const person = { name: values["broker-name"], user: values.user, password: values.password };
  console.log((await visit(positionals[0], person)).href);
}
