//! A person's browser: it keeps cookies, follows redirects one by one so that they can be told, and submits forms,
//! those too that a page submits by itself.

use reqwest::{Client, Method, StatusCode, header};
use url::Url;

use super::error::DemoError;
use super::html::{self, Form};

/// More redirects than this are a loop.
const LONGEST: usize = 10;

/// A browser with its cookies, which are nobody else's.
pub struct Browser {
    client: Client,
}

/// What the browser shows in the end.
#[derive(Debug, Clone)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    /// Where it was sent on the way, oldest first.
    pub redirects: Vec<Url>,
    /// The names of the cookies that were set on the way.
    pub cookies: Vec<String>,
    body: String,
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Result<Self, DemoError> {
        Client::builder()
            .no_proxy()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_mins(1))
            .build()
            .map(|client| Self { client })
            .map_err(|error| DemoError::no_answer("the demo's browser", &error))
    }

    /// Opens an address and follows where it leads.
    pub async fn open(&self, url: &str) -> Result<Page, DemoError> {
        let url = Url::parse(url).map_err(|error| DemoError::no_answer(format!("GET {url}"), &error))?;
        self.go(Method::GET, url, None, None).await
    }

    /// Submits a form of `page` by a button, or as its script would, and follows where that leads.
    pub async fn submit(
        &self,
        page: &Page,
        form: &Form,
        button: Option<&(String, String)>,
    ) -> Result<Page, DemoError> {
        let mut url = page.target(&form.action)?;
        let fields: Vec<_> = form.fields.iter().chain(button).cloned().collect();
        if form.is_post {
            return self.go(Method::POST, url, Some(fields), Some(&page.url)).await;
        }
        url.query_pairs_mut().clear().extend_pairs(&fields);
        self.go(Method::GET, url, None, Some(&page.url)).await
    }

    async fn go(
        &self,
        mut method: Method,
        mut url: Url,
        mut fields: Option<Vec<(String, String)>>,
        from: Option<&Url>,
    ) -> Result<Page, DemoError> {
        let mut redirects = Vec::new();
        let mut cookies = Vec::new();
        loop {
            let what = format!("{method} {}", shown(&url));
            let failed = |error: reqwest::Error| DemoError::no_answer(&what, &error.without_url());
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(fields) = &fields {
                request = request.form(fields);
            }
            if let Some(from) = from.filter(|_| method == Method::POST) {
                request = request.header(header::ORIGIN, from.origin().ascii_serialization());
            }
            let answer = request.send().await.map_err(failed)?;
            let status = answer.status();
            for value in answer.headers().get_all(header::SET_COOKIE) {
                let name = value.to_str().unwrap_or_default().split('=').next().unwrap_or_default();
                cookies.push(name.trim().to_owned());
            }
            let target = answer.headers().get(header::LOCATION).filter(|_| status.is_redirection());
            let target = target.and_then(|value| value.to_str().ok()).and_then(|text| url.join(text).ok());
            let Some(target) = target else {
                let body = answer.text().await.map_err(failed)?;
                return Ok(Page { url, status, redirects, cookies, body });
            };
            if redirects.len() == LONGEST {
                let found = format!("{LONGEST} redirects, the last one to {}", shown(&target));
                return Err(DemoError::unexpected(what, "a page", found));
            }
            if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                method = Method::GET;
                fields = None;
            }
            redirects.push(target.clone());
            url = target;
        }
    }
}

impl Page {
    /// The first form that has a field of this name.
    pub fn form_with(&self, field: &str) -> Result<Form, DemoError> {
        let form = html::forms(&self.body).into_iter().find(|form| form.has(field));
        form.ok_or_else(|| self.unexpected(&format!("a form with the field {field}")))
    }

    /// The words in the first element of this name.
    pub fn words_in(&self, tag: &str) -> String {
        html::words_in(&self.body, tag)
    }

    /// The body as it came.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// An error that tells what stands here instead of what is needed.
    pub fn unexpected(&self, expected: &str) -> DemoError {
        let found = format!("{} {}", self.status, self.words_in("body"));
        DemoError::unexpected(format!("the page {}", shown(&self.url)), expected, found.trim())
    }

    fn target(&self, action: &str) -> Result<Url, DemoError> {
        self.url.join(action).map_err(|_| self.unexpected("a form with a usable address"))
    }
}

/// An address without its query, which can be a message of some kilobytes.
pub fn shown(url: &Url) -> String {
    let mut short = url.clone();
    short.set_query(None);
    short.set_fragment(None);
    match url.query() {
        Some(_) => format!("{short}?…"),
        None => short.into(),
    }
}
