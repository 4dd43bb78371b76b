"""The part of a web browser that signing in needs: cookies, redirects, and one form.

It opens an authorization URL and goes on until it is sent to the client's redirect URI, which it does not open but
returns. Cookies are the client's, whose jar keeps to hosts and paths as a browser does.
"""

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2

MAX_STEPS = 20


class _FormParser(HTMLParser):
    """Collects the forms of a page with their fields and buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.forms.append({"attributes": attributes, "inputs": [], "buttons": []})
        elif self.forms and tag == "input" and attributes.get("type") != "submit":
            self.forms[-1]["inputs"].append(attributes)
        elif self.forms and tag in ("button", "input"):
            self.forms[-1]["buttons"].append(attributes)


def _approves(button: dict[str, str | None]) -> bool:
    """The button that approves: Tollward's broker's, or Keycloak's."""
    return (button.get("name"), button.get("value")) == ("decision", "approve") or button.get("name") == "accept"


def _submission(html: str, page_url: str, person: dict[str, str | None]) -> tuple[str, str, list[tuple[str, str]]]:
    """The request that a person makes by filling in the page's one form and approving: method, URL, fields."""
    parser = _FormParser()
    parser.feed(html)
    page = page_url.split("?")[0]
    if len(parser.forms) != 1:
        raise RuntimeError(f"{page} has {len(parser.forms)} forms, not one")
    if person.get("name") is None and person.get("password") is None:
        raise RuntimeError(f"{page} asks for a person: pass --broker-name or --password")
    form = parser.forms[0]
    fields: list[tuple[str, str]] = []
    for field in form["inputs"]:
        kind, name = field.get("type"), field.get("name")
        if kind == "hidden" and name:
            fields.append((name, field.get("value") or ""))
        elif name and person.get(name) is not None:
            fields.append((name, person[name]))
        elif kind == "checkbox" and name and "checked" in field:
            fields.append((name, field.get("value") or "on"))
    fields += [(button["name"], button.get("value") or "") for button in form["buttons"] if _approves(button)][:1]
    method = (form["attributes"].get("method") or "get").upper()
    return method, urljoin(page_url, form["attributes"].get("action") or page_url), fields


async def sign_in(
    client: httpx2.AsyncClient, authorization_url: str, redirect_uri: str, person: dict[str, str | None]
) -> dict[str, str]:
    """Opens ``authorization_url`` with ``client`` and returns the query of the redirect to ``redirect_uri``.

    ``person`` has what is entered into the inputs ``name``, ``username`` and ``password``.
    """
    method, url, fields = "GET", authorization_url, []
    for _ in range(MAX_STEPS):
        headers = {"accept": "text/html"}
        if method == "POST":
            origin = urlsplit(url)
            headers["origin"] = f"{origin.scheme}://{origin.netloc}"
            headers["content-type"] = "application/x-www-form-urlencoded"
            response = await client.request(method, url, content=urlencode(fields), headers=headers)
        else:
            if fields:
                url = f"{url.split('?')[0]}?{urlencode(fields)}"
            response = await client.request(method, url, headers=headers)
        if response.is_redirect:
            url = urljoin(str(response.url), response.headers["location"])
            if url.split("?")[0] == redirect_uri:
                return dict(parse_qsl(urlsplit(url).query))
            method, fields = "GET", []
            continue
        if response.status_code != 200:
            raise RuntimeError(f"{url.split('?')[0]} answered {response.status_code}: {response.text[:300]}")
        method, url, fields = _submission(response.text, str(response.url), person)
    raise RuntimeError(f"signing in took more than {MAX_STEPS} steps")
