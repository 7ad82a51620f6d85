//! `/problems` and `/problems/{code}`: what each code of a refusal means and what to do, from the same tables as the
//! refusals themselves. The `type` of a problem leads here, and so do the page of a refused sign-in and the sign-in log.

use super::page;
use crate::http::payload::codes::{self as api_codes, Known};
use crate::http::payload::framework::not_found;
use crate::protocol::saml::Console;
use crate::service::sign_in::codes::Code;
use crate::service::sign_in::logout_codes::all;
use askama::Template;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response, Result};

/// The IdPs whose words are shown, by name.
const CONSOLES: [(&str, Console); 9] = [
    ("Okta", Console::Okta),
    ("Microsoft Entra ID", Console::Entra),
    ("Google Workspace", Console::Google),
    ("OneLogin", Console::OneLogin),
    ("JumpCloud", Console::JumpCloud),
    ("Ping", Console::Ping),
    ("AD FS", Console::Adfs),
    ("Keycloak", Console::Keycloak),
    ("Another IdP", Console::Generic),
];

#[derive(Template)]
#[template(path = "problems.html", config = "src/http/pages/askama.toml")]
struct IndexPage {
    sign_in: Vec<&'static Code>,
    api: &'static [Known],
}

#[derive(Template)]
#[template(path = "problem_code.html", config = "src/http/pages/askama.toml")]
struct CodePage {
    code: &'static str,
    sign_in: Option<&'static Code>,
    /// What the person can do; the reference stands on the page of the refusal, not here.
    check: String,
    /// What to change, in the words of each IdP; one line where there is nothing to tell apart.
    fixes: Vec<(&'static str, String)>,
    api: Option<&'static Known>,
}

/// These pages are the same for everybody.
fn public(mut response: Response) -> Response {
    let value = HeaderValue::from_static("public, max-age=3600");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

/// All codes.
#[poem::handler]
pub fn index() -> Response {
    public(page(StatusCode::OK, &IndexPage { sign_in: all().collect(), api: api_codes::KNOWN }))
}

/// One code.
#[poem::handler]
pub fn show(request: &Request) -> Result<Response> {
    let wanted = request.raw_path_param("code").unwrap_or_default();
    let sign_in = all().find(|known| known.code == wanted);
    let api = api_codes::of(wanted);
    let code = sign_in.map(|known| known.code).or(api.map(|known| known.code)).ok_or_else(not_found)?;
    let fixes = sign_in.map_or_else(Vec::new, |known| match known.field {
        Some(_) => CONSOLES.map(|(name, console)| (name, known.fix_at(console))).to_vec(),
        None => vec![("", known.fix.to_owned())],
    });
    let check = sign_in.map(|known| known.check.replace("the reference below", "the reference on that page"));
    let shown = CodePage { code, sign_in, check: check.unwrap_or_default(), fixes, api };
    Ok(public(page(StatusCode::OK, &shown)))
}
