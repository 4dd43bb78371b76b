// The official `server-everything` over streamable HTTP, as a server that Tollward did not write.
//
// It owns the address only: PORT from the environment (0 for a free one) on loopback, and one line on standard output once
// the server answers: `listening on http://127.0.0.1:PORT/mcp`.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const DEADLINE_MS = 60_000;
const PAUSE_MS = 100;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(url) {
  try {
    // Any answer will do: a GET without a session is refused, but by the server.
    const response = await fetch(url, { headers: { accept: "text/event-stream" } });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

const asked = Number(process.env.PORT ?? "0");
const port = asked === 0 ? await freePort() : asked;
const url = `http://127.0.0.1:${port}/mcp`;
const program = fileURLToPath(
  new URL("node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url),
);
const loopback = new URL("loopback.mjs", import.meta.url).href;
const server = spawn(process.execPath, ["--import", loopback, program, "streamableHttp"], {
  // One of its tools returns the whole environment.
  env: { PATH: process.env.PATH, HOST: "127.0.0.1", PORT: String(port) },
  // Its own notices belong on standard error: standard output carries the one line.
  stdio: ["ignore", 2, 2],
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => server.kill(signal));
}
server.once("exit", (code) => process.exit(code ?? 0));

const deadline = Date.now() + DEADLINE_MS;
while (!(await answers(url))) {
  if (Date.now() > deadline) {
    server.kill();
    throw new Error(`the server did not answer at ${url} in time`);
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
console.log(`listening on ${url}`);
