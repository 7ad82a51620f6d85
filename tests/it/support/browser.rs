//! A browser-like client: follows redirects itself, keeps cookies as browsers do, fills and submits forms.
//!
//! Cookies follow RFC 6265bis in what matters here: by host and not by port, `Secure` and `__Host-` only over
//! https, and `SameSite`, where a cookie without it counts as `Lax`. So a cookie that a real browser would not
//! bring back from the identity provider is missing here too.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use url::Url;

use super::html::{self, Form};

/// A person's browser with its cookies.
pub struct Browser {
    client: reqwest::Client,
    cookies: Vec<Cookie>,
}

/// What a browser shows after all redirects.
#[derive(Debug, Clone)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: String,
    /// Where each redirect on the way led, oldest first.
    pub redirects: Vec<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    path: String,
    secure: bool,
    same_site: SameSite,
}

struct Request {
    method: Method,
    url: Url,
    form: Option<Vec<(String, String)>>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .tls_danger_accept_invalid_certs(true)
            .build()
            .expect("a client");
        Self { client, cookies: Vec::new() }
    }

    /// Types an address into the address bar and follows all redirects.
    pub async fn open(&mut self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).expect("an address");
        self.run(Request { method: Method::GET, url, form: None }, None, usize::MAX).await
    }

    /// Types an address into the address bar and stays at the first answer, even if it is a redirect.
    pub async fn open_once(&mut self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).expect("an address");
        self.run(Request { method: Method::GET, url, form: None }, None, 0).await
    }

    /// Follows the link that is shown as `text`.
    pub async fn follow(&mut self, page: &Page, text: &str) -> Page {
        let link = html::links(&page.body).into_iter().find(|link| link.text == text);
        let link = link.unwrap_or_else(|| panic!("no link {text:?} on {page}"));
        let url = page.url.join(&link.href).expect("an address");
        self.run(Request { method: Method::GET, url, form: None }, Some(&page.url), usize::MAX).await
    }

    /// Submits a form of `page` and follows all redirects.
    pub async fn submit(&mut self, page: &Page, form: &Form) -> Page {
        let mut url = page.url.join(&form.action).expect("an address");
        let request = if form.method == "post" {
            Request { method: Method::POST, url, form: Some(form.fields.clone()) }
        } else {
            url.query_pairs_mut().clear().extend_pairs(&form.fields);
            Request { method: Method::GET, url, form: None }
        };
        self.run(request, Some(&page.url), usize::MAX).await
    }

    /// Submits what scripts would submit at once: forms whose fields are all hidden and hold a SAML message.
    pub async fn settle(&mut self, mut page: Page) -> Page {
        const MOST: usize = 5;
        for _ in 0..MOST {
            let Some(form) = page.auto_post_form() else { return page };
            page = self.submit(&page, &form).await;
        }
        panic!("pages submit themselves without end: {page}")
    }

    /// The value that a cookie has for this address.
    pub fn cookie(&self, url: &Url, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|cookie| cookie.name == name && cookie.belongs_to(url))
            .map(|c| c.value.as_str())
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&mut self) {
        self.cookies.clear();
    }

    /// Sends a request that the page at `from` started (none: the address bar) and follows its redirects.
    async fn run(&mut self, mut request: Request, from: Option<&Url>, most_redirects: usize) -> Page {
        const LONGEST: usize = 20;
        let mut redirects = Vec::new();
        loop {
            let same_site = from.is_none_or(|from| same_site(from, &request.url));
            let mut builder = self.client.request(request.method.clone(), request.url.clone());
            if let Some(cookies) = self.cookies_for(&request, same_site) {
                builder = builder.header(header::COOKIE, cookies);
            }
            if let Some(from) = from.filter(|_| request.method != Method::GET) {
                builder = builder.header(header::ORIGIN, from.origin().ascii_serialization());
            }
            if let Some(form) = &request.form {
                builder = builder.form(form);
            }
            let answer = builder.send().await.unwrap_or_else(|error| panic!("{}: {error}", request.url));
            self.keep_cookies(&request.url, answer.headers());
            let target = answer
                .headers()
                .get(header::LOCATION)
                .filter(|_| answer.status().is_redirection())
                .map(|target| request.url.join(target.to_str().expect("ASCII")).expect("an address"));
            match target {
                Some(target) if redirects.len() < most_redirects => {
                    assert!(redirects.len() < LONGEST, "redirected without end: {redirects:?}");
                    let keeps_method = matches!(answer.status().as_u16(), 307 | 308);
                    if !keeps_method {
                        request.method = Method::GET;
                        request.form = None;
                    }
                    redirects.push(target.clone());
                    request.url = target;
                }
                _ => {
                    let (status, headers) = (answer.status(), answer.headers().clone());
                    let body = answer.text().await.expect("a body");
                    return Page { url: request.url, status, headers, body, redirects };
                }
            }
        }
    }

    fn cookies_for(&self, request: &Request, same_site: bool) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.belongs_to(&request.url))
            .filter(|cookie| match cookie.same_site {
                SameSite::None => true,
                SameSite::Lax => same_site || request.method == Method::GET,
                SameSite::Strict => same_site,
            })
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&mut self, url: &Url, headers: &header::HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let Some((cookie, gone)) = line.to_str().ok().and_then(|line| parse_cookie(url, line)) else {
                continue;
            };
            self.cookies.retain(|c| c.name != cookie.name || c.host != cookie.host || c.path != cookie.path);
            if !gone {
                self.cookies.push(cookie);
            }
        }
    }
}

impl Cookie {
    fn belongs_to(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(&self.path);
        Some(self.host.as_str()) == url.host_str()
            && (!self.secure || url.scheme() == "https")
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }
}

/// Reads one `Set-Cookie`; tells whether it takes the cookie away. `None` where a browser would refuse it.
fn parse_cookie(url: &Url, line: &str) -> Option<(Cookie, bool)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let path =
        url.path().rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        host: url.host_str()?.to_owned(),
        path: path.to_owned(),
        secure: false,
        same_site: SameSite::Lax,
    };
    let (mut gone, mut has_domain) = (false, false);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "samesite" => {
                cookie.same_site = match value.to_ascii_lowercase().as_str() {
                    "strict" => SameSite::Strict,
                    "none" => SameSite::None,
                    _ => SameSite::Lax,
                };
            }
            "max-age" => gone = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
            "expires" => gone |= value.contains("1970"),
            "domain" => has_domain = true,
            _ => {}
        }
    }
    let sound = (!cookie.secure || url.scheme() == "https")
        && (cookie.same_site != SameSite::None || cookie.secure)
        && (!name.starts_with("__Host-") || (cookie.secure && cookie.path == "/" && !has_domain))
        && (!name.starts_with("__Secure-") || cookie.secure);
    sound.then_some((cookie, gone))
}

/// Whether two addresses are one site to a browser: scheme and registrable domain, whatever the port.
fn same_site(one: &Url, other: &Url) -> bool {
    fn site(url: &Url) -> Option<&str> {
        match url.host()? {
            url::Host::Domain(name) => psl::domain_str(name).or(Some(name)),
            _ => url.host_str(),
        }
    }
    one.scheme() == other.scheme() && site(one) == site(other)
}

impl Page {
    /// All forms, in their order.
    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.body)
    }

    /// The form that has a field of this name.
    pub fn form_with(&self, field: &str) -> Form {
        let form = self.forms().into_iter().find(|form| form.value(field).is_some());
        form.unwrap_or_else(|| panic!("no form with a field {field:?} on {self}"))
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        html::text(&self.body)
    }

    fn auto_post_form(&self) -> Option<Form> {
        let holds_message =
            |form: &Form| form.value("SAMLResponse").is_some() || form.value("SAMLRequest").is_some();
        self.forms().into_iter().find(|form| form.method == "post" && holds_message(form))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}) after {:?}:\n{}", self.url, self.status, self.redirects, self.text())
    }
}
