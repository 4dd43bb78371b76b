"""An HTTP server on uvicorn that writes what it reads, one line of JSON for each request."""

import base64
import json
import socket

import uvicorn


def message(body):
    try:
        read = json.loads(body)
        params = read.get("params") or {}
        return {
            "id": read.get("id"),
            "method": read.get("method"),
            "name": params.get("name"),
            "arguments": params.get("arguments"),
        }
    except Exception as error:  # Whatever it is, the test has to see it.
        return {"error": str(error)}


async def read_all(receive):
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = await read_all(receive)
    query = scope["query_string"].decode("latin-1")
    read = {
        "method": scope["method"],
        "target": scope["raw_path"].decode("latin-1") + ("?" + query if query else ""),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": base64.b64encode(body).decode(),
        "messages": {"strict": message(body)} if scope["method"] == "POST" else {},
    }
    print(json.dumps(read), flush=True)
    if scope["method"] == "GET":
        status, kind, answer = 200, b"text/event-stream", b": nothing\n\n"
    elif scope["method"] == "DELETE":
        status, kind, answer = 204, b"application/json", b""
    else:
        identity = read["messages"]["strict"].get("id")
        result = {"jsonrpc": "2.0", "id": 1 if identity is None else identity, "result": {"content": []}}
        status, kind, answer = 200, b"application/json", json.dumps(result).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": answer})


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/inside/mcp", flush=True)
uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning")).run(sockets=[listener])
