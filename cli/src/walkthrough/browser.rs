//! The user's browser, as far as a sign-in needs one: it keeps the cookies of one authorization server and follows
//! redirects within it, until there is a page or the way leads to the client. Each sign-in has a browser of its own.

use super::client::{Answer, Client};
use super::script::REDIRECT;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::collections::BTreeMap;
use url::Url;

/// More redirects in a row are a loop.
const MOST_REDIRECTS: usize = 10;

/// A browser that has been at one server only.
pub(super) struct Browser {
    home: Url,
    /// Values by name and path.
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    /// A browser without cookies, for the server of this address.
    pub(super) fn at(address: &str) -> anyhow::Result<Self> {
        let home = Url::parse(address).with_context(|| format!("`{address}` is no URL"))?;
        Ok(Self { home, cookies: BTreeMap::new() })
    }

    /// Opens an address, and follows where it leads.
    pub(super) async fn open(&mut self, client: &Client, address: &str) -> anyhow::Result<Answer> {
        let address = self.address(address)?;
        let request = self.request("GET", &address).body(Full::default());
        self.follow(client, request.context("the page can't be asked for")?).await
    }

    /// Sends a form of a page, and follows where it leads.
    pub(super) async fn submit(&mut self, client: &Client, action: &str, form: String) -> anyhow::Result<Answer> {
        let address = self.address(action)?;
        ensure!(address.origin() == self.home.origin(), "the form goes to another server");
        let request = self
            .request("POST", &address)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", address.origin().ascii_serialization())
            .body(Full::from(form));
        self.follow(client, request.context("the form can't be sent")?).await
    }

    /// The whole address of a link.
    pub(super) fn address(&self, link: &str) -> anyhow::Result<Url> {
        self.home.join(link).with_context(|| format!("the link `{link}` is no URL"))
    }

    /// Whether the server set any cookie, by which it knows the browser again.
    pub(super) fn is_known(&self) -> bool {
        !self.cookies.is_empty()
    }

    async fn follow(&mut self, client: &Client, first: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let mut answer = client.send(first).await?;
        for _ in 0..MOST_REDIRECTS {
            self.keep(&answer);
            let Some(next) = self.next(&answer)? else { return Ok(answer) };
            let request = self.request("GET", &next).body(Full::default());
            answer = client.send(request.context("the redirect can't be followed")?).await?;
        }
        anyhow::bail!("the authorization server redirects more than {MOST_REDIRECTS} times in a row")
    }

    /// Where the browser goes on by itself: nowhere from a page, and not to the client.
    fn next(&self, answer: &Answer) -> anyhow::Result<Option<Url>> {
        if !answer.status.is_redirection() {
            return Ok(None);
        }
        let location = answer.header("location").context("the redirect has no Location")?;
        if location.starts_with(REDIRECT) {
            return Ok(None);
        }
        let next = self.address(location)?;
        ensure!(next.origin() == self.home.origin(), "the redirect leads neither to the client nor to this server");
        Ok(Some(next))
    }

    /// Keeps what the answer sets; an empty value forgets (RFC 6265 section 5.3, as far as servers use it here).
    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers("set-cookie") {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let path = parts.find_map(|part| {
                let (key, path) = part.split_once('=')?;
                key.eq_ignore_ascii_case("path").then_some(path)
            });
            let key = (name.to_owned(), path.unwrap_or("/").to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }

    fn request(&self, method: &str, address: &Url) -> http::request::Builder {
        let sent: Vec<_> = self
            .cookies
            .iter()
            .filter(|((_, path), _)| address.path().starts_with(path.as_str()))
            .map(|((name, _), value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder().method(method).uri(address.as_str()).header("accept", "text/html");
        if sent.is_empty() { request } else { request.header("cookie", sent.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::Browser;
    use crate::walkthrough::client::Answer;
    use url::Url;

    fn browser() -> Browser {
        Browser::at("http://idp.example/auth").unwrap()
    }

    fn cookies(browser: &Browser, address: &str) -> String {
        let request = browser.request("GET", &Url::parse(address).unwrap()).body(()).unwrap();
        request.headers().get("cookie").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_to_its_path_and_an_empty_one_forgets_it() {
        let mut browser = browser();
        browser.keep(&Answer::of(303, &[("set-cookie", "a=1; path=/interaction/x; httponly")], ""));
        browser.keep(&Answer::of(303, &[("set-cookie", "b=2; Path=/")], ""));
        assert_eq!(cookies(&browser, "http://idp.example/interaction/x"), "a=1; b=2");
        assert_eq!(cookies(&browser, "http://idp.example/auth/x"), "b=2");
        browser.keep(&Answer::of(
            303,
            &[("set-cookie", "a=; path=/interaction/x; expires=Thu, 01 Jan 1970 00:00:00 GMT")],
            "",
        ));
        assert_eq!(cookies(&browser, "http://idp.example/interaction/x"), "b=2");
    }

    #[test]
    fn redirects_are_followed_within_the_server_and_end_at_the_client() {
        let next = |location: &str| browser().next(&Answer::of(303, &[("location", location)], ""));
        assert_eq!(next("/interaction/x").unwrap().unwrap().as_str(), "http://idp.example/interaction/x");
        assert!(next("http://127.0.0.1:49152/callback?code=c").unwrap().is_none());
        assert!(next("https://elsewhere.example/").is_err());
        assert!(browser().next(&Answer::of(200, &[], "")).unwrap().is_none());
    }
}
