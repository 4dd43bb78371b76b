"""A real MCP client on the official Python SDK, without a person in front of it.

The twin of ``typescript-client.mjs``: the same arguments, the same members in the one line of JSON that it prints.
Discovery, registration, PKCE and step-up are the SDK's own. README.md lists the arguments and the answer.
"""

import argparse
import asyncio
import importlib.metadata
import json
import logging
import os
import ssl
import sys
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from browser import sign_in
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

REDIRECT_URI = "http://127.0.0.1:33418/callback"
MAX_TRACED_REQUESTS = 200


class AuthorizationError(Exception):
    """The authorization server redirected back with an error instead of a code."""

    def __init__(self, code: str, description: str | None) -> None:
        super().__init__(description or code)
        self.code = code


class MemoryStorage:
    """Keeps what the SDK wants kept, and notes it in the report."""

    def __init__(self, report: dict[str, Any], client_id: str | None) -> None:
        self._report = report
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None
        if client_id is not None:
            self._client = OAuthClientInformationFull(
                client_id=client_id, redirect_uris=[AnyUrl(REDIRECT_URI)], token_endpoint_auth_method="none"
            )
            report["clientId"] = client_id

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens
        self._report["scopes"] = tokens.scope.split() if tokens.scope else None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info
        self._report["clientId"] = client_info.client_id


class Person:
    """Who signs in: opens the authorization URL in a browser of their own and hands the answer back."""

    def __init__(self, options: argparse.Namespace, report: dict[str, Any], context: ssl.SSLContext) -> None:
        self._options = options
        self._report = report
        self._context = context
        self._answer: dict[str, str] = {}

    async def open(self, authorization_url: str) -> None:
        if self._report["authorizations"] > 0 and not self._options.step_up:
            raise RuntimeError("the server asks for a second authorization: pass --step-up to allow it")
        self._report["authorizations"] += 1
        if self._options.user is not None:
            authorization_url += f"&{httpx2.QueryParams({'login_hint': self._options.user})}"
        hooks = trace_hooks(self._options, self._report)
        # Browsers send `Secure` cookies to a loopback address over plain http too.
        cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http")))
        async with httpx2.AsyncClient(verify=self._context, cookies=cookies, event_hooks=hooks) as browser:
            person = {
                "name": self._options.broker_name,
                "username": self._options.user,
                "password": self._options.password,
            }
            self._answer = await sign_in(browser, authorization_url, REDIRECT_URI, person)

    async def answer(self) -> AuthorizationCodeResult:
        if "error" in self._answer:
            raise AuthorizationError(self._answer["error"], self._answer.get("error_description"))
        return AuthorizationCodeResult(
            code=self._answer.get("code", ""), state=self._answer.get("state"), iss=self._answer.get("iss")
        )


def body_keys(body: bytes) -> list[str]:
    """The names in a request's body, without their values."""
    try:
        message = json.loads(body)
    except ValueError:
        return [name for name, _ in parse_qsl(body.decode(errors="replace"))]
    return [message["method"]] if "method" in message else list(message)


def trace_hooks(options: argparse.Namespace, report: dict[str, Any]) -> dict[str, list]:
    """Remembers what a test may want to know of each request: never a secret."""

    async def record(response: httpx2.Response) -> None:
        request = response.request
        if str(request.url) == options.url:
            report["_status"] = response.status_code
        requests = report.setdefault("requests", []) if options.trace else None
        if requests is None or len(requests) >= MAX_TRACED_REQUESTS:
            return
        url = urlsplit(str(request.url))
        scheme = request.headers.get("authorization", "").split(" ")[0]
        headers = {name: value for name, value in request.headers.items() if name.startswith("mcp-") or name == "accept"}
        requests.append(
            {
                "method": request.method,
                "url": f"{url.scheme}://{url.netloc}{url.path}",
                "parameters": [name for name, _ in parse_qsl(url.query)] + body_keys(await request.aread()),
                "headers": headers,
                "authorization": scheme or None,
                "status": response.status_code,
            }
        )

    return {"response": [record]}


def trust() -> ssl.SSLContext:
    """The system's certificate authorities and, as for Node.js, those in the file NODE_EXTRA_CA_CERTS names."""
    context = ssl.create_default_context()
    extra = os.environ.get("NODE_EXTRA_CA_CERTS")
    if extra:
        context.load_verify_locations(cafile=extra)
    return context


async def run(options: argparse.Namespace, report: dict[str, Any]) -> None:
    context = trust()
    provider = None
    headers = {}
    if options.token is None:
        person = Person(options, report, context)
        provider = OAuthClientProvider(
            server_url=options.url,
            client_metadata=OAuthClientMetadata(
                client_name=options.client_name,
                redirect_uris=[AnyUrl(REDIRECT_URI)],
                grant_types=["authorization_code"] if options.no_refresh else ["authorization_code", "refresh_token"],
                response_types=["code"],
                token_endpoint_auth_method="none",
            ),
            storage=MemoryStorage(report, options.client_id),
            client_metadata_url=options.client_metadata_url,
            redirect_handler=person.open,
            callback_handler=person.answer,
        )
    else:
        headers["authorization"] = f"Bearer {options.token}"
    hooks = trace_hooks(options, report)
    try:
        async with httpx2.AsyncClient(verify=context, auth=provider, headers=headers, event_hooks=hooks) as http_client:
            transport = streamable_http_client(options.url, http_client=http_client)
            async with Client(transport, mode=options.protocol) as client:
                report["protocolVersion"] = client.protocol_version
                if options.list:
                    report["tools"] = [tool.name for tool in (await client.list_tools()).tools]
                if options.call is not None:
                    result = await client.call_tool(options.call, json.loads(options.args))
                    report["result"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    finally:
        if provider is not None:
            note_discovery(provider, report)


def note_discovery(provider: OAuthClientProvider, report: dict[str, Any]) -> None:
    context = provider.context
    if context.protected_resource_metadata is not None:
        report["resourceMetadata"] = context.protected_resource_metadata.model_dump(mode="json", exclude_none=True)
    if context.oauth_metadata is not None:
        report["authorizationServer"] = str(context.oauth_metadata.issuer)


def describe(error: BaseException, last_status: int | None) -> dict[str, Any]:
    """The innermost error of a group; most errors of the SDK don't carry the HTTP status, so it is remembered."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is None and last_status is not None and last_status >= 400:
        status = last_status
    code = getattr(error, "code", None)
    return {"name": type(error).__name__, "message": str(error), "code": code, "status": status}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--call")
    parser.add_argument("--args", default="{}")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--step-up", action="store_true")
    parser.add_argument("--broker-name")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--token")
    parser.add_argument("--client-id")
    parser.add_argument("--client-metadata-url")
    parser.add_argument("--client-name", default="Tollward test client")
    parser.add_argument("--protocol", default="auto")
    parser.add_argument("--no-refresh", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--timeout", type=float, default=60)
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)

    report: dict[str, Any] = {
        "sdk": f"mcp {importlib.metadata.version('mcp')}",
        "protocolVersion": None,
        "resourceMetadata": None,
        "authorizationServer": None,
        "clientId": None,
        "scopes": None,
        "authorizations": 0,
        "tools": None,
        "result": None,
        "error": None,
        "_status": None,
    }
    try:
        asyncio.run(asyncio.wait_for(run(options, report), options.timeout))
    except BaseException as error:  # noqa: BLE001 - whatever went wrong is what the test wants to read
        report["error"] = describe(error, report["_status"])
    del report["_status"]
    print(json.dumps(report))
    return 0 if report["error"] is None else 1


if __name__ == "__main__":
    sys.exit(main())
