//! What the SCIM request log makes of a call: where it went, whose product sent it, what of it may be kept, and one
//! plain sentence on what happened. Pure: text and JSON in, text out.

pub mod mask;
pub mod quotes;
pub mod story;
#[cfg(test)]
mod tests;

use crate::model::email::EmailAddress;
use crate::model::scim_request::{IdentityProvider, ScimResource};
use crate::protocol::scim::name::member;
use serde_json::Value;

/// Where a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    Users,
    User(&'a str),
    Groups,
    Group(&'a str),
    Roles,
    Role(&'a str),
    /// `.search` of one resource type, or of all.
    Search(ScimResource),
    Bulk,
    Discovery(&'a str),
    Other,
}

impl<'a> Target<'a> {
    /// Reads a path, with or without the root and a query; escapes stay as they are.
    pub fn of(path: &'a str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/scim/v2").unwrap_or(path);
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next(), segments.next()) {
            (Some("Users"), None, None) => Self::Users,
            (Some("Users"), Some(".search"), None) => Self::Search(ScimResource::User),
            (Some("Users"), Some(id), None) => Self::User(id),
            (Some("Groups"), None, None) => Self::Groups,
            (Some("Groups"), Some(".search"), None) => Self::Search(ScimResource::Group),
            (Some("Groups"), Some(id), None) => Self::Group(id),
            (Some("Roles"), None, None) => Self::Roles,
            (Some("Roles"), Some(".search"), None) => Self::Search(ScimResource::Role),
            (Some("Roles"), Some(id), None) => Self::Role(id),
            (Some(".search"), None, None) => Self::Search(ScimResource::Search),
            (Some("Bulk"), None, None) => Self::Bulk,
            (Some(name @ ("ServiceProviderConfig" | "ResourceTypes" | "Schemas")), _, None) => {
                Self::Discovery(name)
            }
            _ => Self::Other,
        }
    }

    /// The kind that the log is filtered by.
    pub const fn resource(self) -> ScimResource {
        match self {
            Self::Users | Self::User(_) => ScimResource::User,
            Self::Groups | Self::Group(_) => ScimResource::Group,
            Self::Roles | Self::Role(_) => ScimResource::Role,
            Self::Search(resource) => resource,
            Self::Bulk => ScimResource::Bulk,
            Self::Discovery(_) => ScimResource::Discovery,
            Self::Other => ScimResource::Other,
        }
    }
}

/// Whose product the client is, by its `User-Agent` and, for Entra ID, which may send none, by its own parameter in the
/// query.
pub fn identity_provider(agent: &str, path: &str) -> IdentityProvider {
    use IdentityProvider as I;
    const SIGNS: &[(&str, I)] = &[
        ("okta", I::Okta),
        ("azure", I::Entra),
        ("microsoft", I::Entra),
        ("entra", I::Entra),
        ("google", I::Google),
        ("onelogin", I::Onelogin),
        ("jumpcloud", I::Jumpcloud),
        ("pingfederate", I::Ping),
        ("pingone", I::Ping),
        ("pingidentity", I::Ping),
        ("ping identity", I::Ping),
        ("rippling", I::Rippling),
        ("keycloak", I::Keycloak),
        ("authentik", I::Authentik),
        ("sailpoint", I::Sailpoint),
        ("cyberark", I::Cyberark),
        ("idaptive", I::Cyberark),
    ];
    if let Some((_, provider)) = SIGNS.iter().find(|(sign, _)| holds(agent, sign)) {
        return *provider;
    }
    let query = path.split_once('?').map_or("", |(_, query)| query);
    if holds(query, "aadoptscim") { I::Entra } else { I::Unknown }
}

/// The domain of the address that a call is about, as far as it says so itself: of the userName, the primary or the
/// first address of the body, or of an address in the filter.
pub fn domain(path: &str, body: Option<&Value>) -> Option<String> {
    let of = |text: &str| EmailAddress::parse(text).ok().map(|address| address.domain().to_owned());
    if let Some(body) = body {
        if let Some(domain) = text(body, "userName").and_then(of) {
            return Some(domain);
        }
        let emails = member(body, "emails").and_then(Value::as_array);
        let emails = emails.map(Vec::as_slice).unwrap_or_default();
        let primary = emails.iter().find(|email| member(email, "primary") == Some(&Value::Bool(true)));
        if let Some(domain) = primary.or(emails.first()).and_then(|email| text(email, "value")).and_then(of) {
            return Some(domain);
        }
    }
    let filter = match body.and_then(|body| text(body, "filter")) {
        Some(filter) => filter.to_owned(),
        None => parameter(path, "filter")?,
    };
    // What stands between quotes is every second piece.
    filter.split('"').skip(1).step_by(2).find_map(of)
}

/// Whether a text has a word in it, whatever the case of its ASCII letters.
fn holds(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str()
}

/// A parameter of the query, decoded.
fn parameter(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

/// The beginning of a text, so long and no longer, with a sign that it goes on.
fn clipped(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
