//! `/login`: type an e-mail address, and be sent to where your organization signs you in; where it has several ways
//! for the address, choose one, which is remembered. With `?email=` that happens at once, with `?connection=` too
//! by that way, with `?choose=1` never by the remembered one. Which page comes depends on the address's domain alone
//! (rule 17).

use super::{cookies, limit, page, problem, see_other};
use crate::http::payload::Problem;
use crate::http::state::State;
use crate::model::email::EmailAddress;
use crate::service::cache::KnownWay;
use crate::service::sign_in::{self, Beginning, ReturnTo, Start};
use askama::Template;
use poem::http::StatusCode;
use poem::{Body, Request, Response, Result};

#[derive(Template)]
#[template(path = "login.html", config = "src/http/pages/askama.toml")]
struct LoginPage<'a> {
    email: &'a str,
    return_to: Option<&'a str>,
    choose: bool,
    /// Whether a way is remembered that could be another one.
    remembered: bool,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "choose.html", config = "src/http/pages/askama.toml")]
struct ChoosePage<'a> {
    email: &'a str,
    return_to: Option<&'a str>,
    ways: &'a [KnownWay],
    again: &'a str,
}

#[derive(Template)]
#[template(path = "no_way_in.html", config = "src/http/pages/askama.toml")]
struct NoWayInPage<'a> {
    domain: &'a str,
    again: &'a str,
}

/// The fields of the form, or of the query.
#[derive(Default)]
struct Fields {
    email: Option<String>,
    return_to: Option<String>,
    connection: Option<String>,
    choose: Option<String>,
}

impl Fields {
    /// The first of each name counts.
    fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "email" => fields.email.get_or_insert(value),
                "return_to" => fields.return_to.get_or_insert(value),
                "connection" => fields.connection.get_or_insert(value),
                "choose" => fields.choose.get_or_insert(value),
                _ => continue,
            };
        }
        fields
    }

    fn return_to(&self) -> Result<Option<ReturnTo>, Problem> {
        let wanted = self.return_to.as_deref().filter(|text| !text.is_empty());
        wanted.map(ReturnTo::parse).transpose().map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "return_to_refused",
                "This link cannot be used",
                format!("After signing in nobody is sent to another site: {error}."),
            )
        })
    }
}

/// The form; or on to the IdP, if the query names an address.
#[poem::handler]
pub async fn show(request: &Request) -> Result<Response> {
    let query = request.uri().query().unwrap_or_default();
    let fields = Fields::of(url::form_urlencoded::parse(query.as_bytes()).into_owned());
    if fields.email.as_deref().is_some_and(|email| !email.trim().is_empty()) {
        return start(request, fields, false).await;
    }
    let return_to = fields.return_to()?;
    let shown = LoginPage {
        email: "",
        return_to: return_to.as_ref().map(ReturnTo::as_str),
        choose: fields.choose.is_some(),
        remembered: cookies::way(State::of(request)?, request).is_some() && fields.choose.is_none(),
        error: None,
    };
    Ok(page(StatusCode::OK, &shown))
}

/// On to the IdP. The same-origin check has been passed, so this comes from our own form.
#[poem::handler]
pub async fn submit(request: &Request, body: Body) -> Result<Response> {
    let fields = Fields::of(super::form(request, body).await?);
    start(request, fields, true).await
}

async fn start(request: &Request, fields: Fields, own_page: bool) -> Result<Response> {
    let state = State::of(request)?;
    limit(state, request)?;
    let return_to = fields.return_to()?;
    let typed = fields.email.unwrap_or_default();
    let address = match EmailAddress::parse(&typed) {
        Ok(address) => address,
        Err(error) => {
            let typed: String = typed.chars().take(254).collect();
            let return_to = return_to.as_ref().map(ReturnTo::as_str);
            let choose = fields.choose.is_some();
            let error = Some(error.to_string());
            let shown = LoginPage { email: &typed, return_to, choose, remembered: false, error };
            return Ok(page(StatusCode::BAD_REQUEST, &shown));
        }
    };
    let ctx = state.anonymous(request);
    let browser = cookies::read(request, cookies::browser_cookie(state));
    let session = cookies::session(state, request);
    let again = return_to.as_ref().map_or_else(
        || "/login".to_owned(),
        |to| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            format!("/login?{}", query.append_pair("return_to", to.as_str()).finish())
        },
    );
    let begun = sign_in::begin(
        &state.services,
        &ctx,
        Start {
            address: &address,
            // An id that is none, or none of the ways, is as good as no choice.
            chosen: fields.connection.and_then(|id| id.parse().ok()),
            remembered: cookies::way(state, request).filter(|_| fields.choose.is_none()),
            return_to: return_to.clone(),
            browser: browser.as_deref(),
            session: session.as_deref(),
            own_page,
        },
    )
    .await
    .map_err(|error| problem(&error))?;
    let begun = match begun {
        Beginning::Begun(begun) => begun,
        Beginning::Choose(known) => {
            let return_to = return_to.as_ref().map(ReturnTo::as_str);
            let email = address.as_str();
            return Ok(page(
                StatusCode::OK,
                &ChoosePage { email, return_to, ways: &known.ways, again: &again },
            ));
        }
        Beginning::NoWay => {
            return Ok(page(StatusCode::NOT_FOUND, &NoWayInPage { domain: address.domain(), again: &again }));
        }
    };
    let mut response = see_other(&begun.redirect)?;
    cookies::set_browser(state, &mut response, &begun.browser);
    if let Some(way) = begun.remember {
        cookies::set_way(state, &mut response, way);
    }
    Ok(response)
}
