// A second judge of access tokens: `jose`, which shares no code with Tollward.
//
// Reads {issuer, audience, algorithms, types, now, keys, tokens} from the file named by its argument and prints one line of
// JSON: for each token "good", or the code of jose's error.

import { readFile } from "node:fs/promises";
import { createLocalJWKSet, jwtVerify } from "jose";

const asked = JSON.parse(await readFile(process.argv[2], "utf8"));
const keys = createLocalJWKSet({ keys: asked.keys });
const options = {
  issuer: asked.issuer,
  audience: asked.audience,
  typ: asked.type,
  algorithms: asked.algorithms,
  currentDate: new Date(asked.now * 1000),
  clockTolerance: asked.leeway,
  requiredClaims: ["exp", "sub"],
};

const verdicts = [];
for (const token of asked.tokens) {
  try {
    await jwtVerify(token, keys, options);
    verdicts.push("good");
  } catch (error) {
    verdicts.push(error.code ?? error.name);
  }
}
console.log(JSON.stringify(verdicts));
