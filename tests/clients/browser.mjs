// The part of a web browser that signing in needs: cookies, redirects, and one form.
//
// It opens an authorization URL and goes on until it is sent to the client's redirect URI, which it does not open but
// returns. It must stay as strict as a browser where servers rely on it: cookies go only to their host and path.

const MAX_STEPS = 20;

class CookieJar {
  #cookies = new Map();

  store(url, headers) {
    for (const line of headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const separator = pair.indexOf("=");
      const options = new Map(
        attributes.map((attribute) => {
          const [name, ...value] = attribute.split("=");
          return [name.toLowerCase(), value.join("=")];
        }),
      );
      const cookie = {
        host: url.hostname,
        path: options.get("path") || url.pathname.replace(/\/[^/]*$/, "") || "/",
        name: pair.slice(0, separator),
        value: pair.slice(separator + 1),
        secure: options.has("secure"),
      };
      const key = `${cookie.host} ${cookie.path} ${cookie.name}`;
      const expired = options.get("max-age") === "0" || new Date(options.get("expires") ?? NaN) < new Date();
      if (expired) {
        this.#cookies.delete(key);
      } else {
        this.#cookies.set(key, cookie);
      }
    }
  }

  header(url) {
    const sent = [...this.#cookies.values()].filter(
      (cookie) =>
        cookie.host === url.hostname &&
        (url.pathname === cookie.path || url.pathname.startsWith(cookie.path.replace(/\/?$/, "/"))) &&
        // Browsers treat loopback as secure.
        (!cookie.secure || url.protocol === "https:" || url.hostname === "127.0.0.1" || url.hostname === "localhost"),
    );
    return sent.map((cookie) => `${cookie.name}=${cookie.value}`).join("; ");
  }
}

function unescapeHtml(text) {
  const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'", "#x2F": "/", "#34": '"' };
  return text.replace(/&(amp|lt|gt|quot|#39|#x27|#x2F|#34);/g, (_match, name) => entities[name]);
}

function attributesOf(tag) {
  const attributes = {};
  for (const [, name, quoted, apostrophed, bare] of tag.matchAll(
    /([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g,
  )) {
    attributes[name.toLowerCase()] = unescapeHtml(quoted ?? apostrophed ?? bare ?? "");
  }
  return attributes;
}

function tagsOf(html, name) {
  return [...html.matchAll(new RegExp(`<${name}\\b([^>]*)>`, "gi"))].map(([, inside]) => attributesOf(inside));
}

/** What a person enters into an input of that name; nothing if they leave it alone. */
function entered(name, person) {
  const entries = { name: person.name, username: person.user, password: person.password };
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

/** The button that approves: Tollward's broker's, or Keycloak's. */
function isApproval(button) {
  return (button.name === "decision" && button.value === "approve") || button.name === "accept";
}

/** The request that a person makes by filling in the page's one form and approving. */
function submission(html, pageUrl, person) {
  const forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)];
  if (forms.length !== 1) {
    throw new Error(`${pageUrl.origin}${pageUrl.pathname} has ${forms.length} forms, not one`);
  }
  if (person.name === undefined && person.password === undefined) {
    throw new Error(`${pageUrl.origin}${pageUrl.pathname} asks for a person: pass --broker-name or --password`);
  }
  const [[, formTag, inside]] = forms;
  const form = attributesOf(formTag);
  const fields = new URLSearchParams();
  for (const input of tagsOf(inside, "input")) {
    const entry = entered(input.name, person);
    if (input.type === "hidden") {
      fields.append(input.name, input.value ?? "");
    } else if (entry !== undefined) {
      fields.append(input.name, entry);
    } else if (input.type === "checkbox" && input.name && input.checked !== undefined) {
      fields.append(input.name, input.value ?? "on");
    }
  }
  const buttons = [...tagsOf(inside, "button"), ...tagsOf(inside, "input").filter((input) => input.type === "submit")];
  const approve = buttons.find(isApproval);
  if (approve) {
    fields.append(approve.name, approve.value ?? "");
  }
  return { url: new URL(form.action || pageUrl.href, pageUrl), method: (form.method ?? "get").toUpperCase(), fields };
}

/**
 * Opens `authorizationUrl` and returns the query of the redirect to `redirectUri`.
 *
 * @param {{ authorizationUrl: URL, redirectUri: string, person: { name?: string, user?: string, password?: string }, fetch: typeof fetch }} options
 * @returns {Promise<URLSearchParams>}
 */
export async function signIn({ authorizationUrl, redirectUri, person, fetch }) {
  const jar = new CookieJar();
  const target = new URL(redirectUri);
  let request = { url: authorizationUrl, method: "GET" };
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const headers = { accept: "text/html", cookie: jar.header(request.url) };
    let body;
    if (request.method === "POST") {
      headers["content-type"] = "application/x-www-form-urlencoded";
      headers.origin = request.origin;
      body = request.fields.toString();
    } else if (request.fields) {
      request.url.search = request.fields.toString();
    }
    const response = await fetch(request.url, { method: request.method, headers, body, redirect: "manual" });
    jar.store(request.url, response.headers);
    const location = response.headers.get("location");
    if (location !== null && response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const next = new URL(location, request.url);
      if (next.origin === target.origin && next.pathname === target.pathname) {
        return next.searchParams;
      }
      request = { url: next, method: "GET" };
      continue;
    }
    const html = await response.text();
    if (!response.ok) {
      throw new Error(`${request.url.origin}${request.url.pathname} answered ${response.status}: ${html.slice(0, 300)}`);
    }
    request = { ...submission(html, request.url, person), origin: request.url.origin };
  }
  throw new Error(`signing in took more than ${MAX_STEPS} steps`);
}
