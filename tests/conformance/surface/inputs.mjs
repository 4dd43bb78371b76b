// The modern era: tools and a prompt that answer with a question first (`input_required`), and go on once the client
// comes back with the answers.

import { randomBytes } from "node:crypto";

import { acceptedContent, createRequestStateCodec, inputRequired, inputResponse } from "@modelcontextprotocol/server";

import { text } from "./samples.mjs";

/** Seals what a tool has to remember until the client comes back. */
export const states = createRequestStateCodec({ key: randomBytes(32) });

function ask(message, name, type = "string") {
  const requestedSchema = { type: "object", properties: { [name]: { type } }, required: [name] };
  return inputRequired.elicit({ message, requestedSchema });
}

function think(prompt, maxTokens) {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens,
  });
}

/** The text that a person gave for `name` in the answer to the question `key`. */
function answered(context, key, name) {
  const value = acceptedContent(context.mcpReq.inputResponses, key)?.[name];
  return typeof value === "string" ? value : undefined;
}

/** The answers to all of `kinds` (key to kind), or nothing. */
function allOf(context, kinds) {
  const answers = Object.entries(kinds).map(([key, kind]) => {
    const answer = inputResponse(context.mcpReq.inputResponses, key);
    return answer.kind === kind ? answer : undefined;
  });
  return answers.includes(undefined) ? undefined : answers;
}

export function addInputs(server) {
  const tool = (name, description, handler) => server.registerTool(name, { description }, handler);
  tool("test_input_required_result_elicitation", "Asks for a name", (context) => {
    const name = answered(context, "user_name", "name");
    return name === undefined
      ? inputRequired({ inputRequests: { user_name: ask("What is your name?", "name") } })
      : text(`Hello, ${name}!`);
  });
  tool("test_input_required_result_sampling", "Asks the client's model", (context) => {
    const [answer] = allOf(context, { capital_question: "sampling" }) ?? [];
    return answer === undefined
      ? inputRequired({ inputRequests: { capital_question: think("What is the capital of France?", 100) } })
      : text(`The model says: ${answer.result.content.text}`);
  });
  tool("test_input_required_result_list_roots", "Asks for roots", (context) => {
    const [answer] = allOf(context, { client_roots: "roots" }) ?? [];
    return answer === undefined
      ? inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
      : text(`Roots: ${answer.roots.map((root) => root.uri).join(", ")}`);
  });
  tool("test_input_required_result_multiple_inputs", "Asks for several things at once", severalInputs);
  tool("test_input_required_result_capabilities", "Asks only for what the client can answer", whatTheClientCan);
  tool("test_streaming_elicitation", "Asks, on a stream", () =>
    inputRequired({ inputRequests: { user_name: ask("What is your name?", "name") } }),
  );
  addStates(tool);
  server.registerPrompt("test_input_required_result_prompt", { description: "Asks for its context" }, (context) => {
    const subject = answered(context, "user_context", "context");
    return subject === undefined
      ? inputRequired({ inputRequests: { user_context: ask("What context should the prompt use?", "context") } })
      : { messages: [{ role: "user", content: { type: "text", text: `Context: ${subject}` } }] };
  });
}

function addStates(tool) {
  const confirmed = async (context) => {
    const sealed = context.mcpReq.requestState();
    if (sealed?.step === "confirm" && inputResponse(context.mcpReq.inputResponses, "confirm").kind === "elicit") {
      return text("state-ok");
    }
    const inputRequests = { confirm: ask("Please confirm", "ok", "boolean") };
    return inputRequired({ inputRequests, requestState: await states.mint({ step: "confirm" }) });
  };
  tool("test_input_required_result_request_state", "Remembers by a sealed state", confirmed);
  tool("test_input_required_result_tampered_state", "Refuses a state that was changed", confirmed);
  tool("test_input_required_result_multi_round", "Asks twice", async (context) => {
    const { step, name } = context.mcpReq.requestState() ?? {};
    const [newName, color] = [answered(context, "step1", "name"), answered(context, "step2", "color")];
    if (step === 2 && color !== undefined) {
      return text(`${name} likes ${color}`);
    }
    if (step === 1 && newName !== undefined) {
      const inputRequests = { step2: ask("Step 2: What is your favorite color?", "color") };
      return inputRequired({ inputRequests, requestState: await states.mint({ step: 2, name: newName }) });
    }
    const inputRequests = { step1: ask("Step 1: What is your name?", "name") };
    return inputRequired({ inputRequests, requestState: await states.mint({ step: 1 }) });
  });
}

async function severalInputs(context) {
  const answers = allOf(context, { user_name: "elicit", greeting: "sampling", client_roots: "roots" });
  if (answers !== undefined) {
    return text(`${answers.length} answers`);
  }
  const inputRequests = {
    user_name: ask("What is your name?", "name"),
    greeting: think("Generate a greeting", 50),
    client_roots: inputRequired.listRoots(),
  };
  return inputRequired({ inputRequests, requestState: await states.mint({ step: "several" }) });
}

function whatTheClientCan(context) {
  const can = context.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? {};
  const inputRequests = {
    ...(can.elicitation && { user_name: ask("What is your name?", "name") }),
    ...(can.sampling && { greeting: think("Generate a greeting", 50) }),
    ...(can.roots && { client_roots: inputRequired.listRoots() }),
  };
  const nothing = Object.keys(inputRequests).length === 0 || context.mcpReq.inputResponses !== undefined;
  return nothing ? text("nothing to ask") : inputRequired({ inputRequests });
}
