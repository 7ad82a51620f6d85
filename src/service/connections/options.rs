//! What a connection asks of its IdP beyond the usual: signed requests, a NameID format, fresh credentials, named ways
//! to sign in, encryption; and the level that needs some of these together. All of it is trust: of an active
//! connection only a change of trust alters it.

use super::super::{Error, FieldError};
use crate::model::saml::{SamlLevel, SamlNameIdFormat};
use crate::store::connections::Connection;
use serde_json::{Value, json};

/// How many ways to sign in at the IdP are named at most, and how long each name may be.
const MOST_CONTEXTS: usize = 10;
const LONGEST_CONTEXT: usize = 255;

/// The options as they were sent; `None` leaves alone.
#[derive(Debug, Clone, Default)]
pub struct GivenOptions {
    pub sign_requests: Option<bool>,
    /// `Some(None)` asks for none.
    pub name_id_format: Option<Option<SamlNameIdFormat>>,
    pub force_authn: Option<bool>,
    pub requested_authn_contexts: Option<Vec<String>>,
    pub require_encryption: Option<bool>,
    pub level: Option<SamlLevel>,
    pub idp_initiated: Option<bool>,
}

/// Sets the options that were given, and checks that they fit together; what is wrong is added to `errors`.
pub fn apply(connection: &mut Connection, given: GivenOptions, errors: &mut Vec<FieldError>) {
    let mut wrong = |field: &str, code: &'static str, message: String| {
        errors.push(FieldError { field: field.to_owned(), code, message });
    };
    if let Some(contexts) = given.requested_authn_contexts {
        let mut kept: Vec<String> = Vec::new();
        for context in contexts {
            let context = context.trim();
            let usable = (1..=LONGEST_CONTEXT).contains(&context.len())
                && context.bytes().all(|b| b.is_ascii_graphic())
                && context.contains(':');
            if !usable {
                let message = format!(
                    "Each is the URI of an authentication context class with at most {LONGEST_CONTEXT} characters, such as \
                     urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken."
                );
                wrong("requested_authn_contexts", "context_invalid", message);
            } else if !kept.iter().any(|known| known == context) {
                kept.push(context.to_owned());
            }
        }
        if kept.len() > MOST_CONTEXTS {
            let message = format!("{} were given; at most {MOST_CONTEXTS} are asked for.", kept.len());
            wrong("requested_authn_contexts", "too_many", message);
        }
        connection.requested_authn_contexts = json!(kept);
    }
    if let Some(format) = given.name_id_format {
        connection.name_id_format = format;
    }
    connection.force_authn = given.force_authn.unwrap_or(connection.force_authn);
    connection.require_encryption = given.require_encryption.unwrap_or(connection.require_encryption);
    connection.sign_requests = given.sign_requests.unwrap_or(connection.sign_requests);
    connection.level = given.level.unwrap_or(connection.level);
    connection.idp_initiated = given.idp_initiated.unwrap_or(connection.idp_initiated);
    if connection.level == SamlLevel::Sl2 {
        if given.sign_requests == Some(false) {
            let message = "The level sl2 needs signed requests; they are switched on with it.";
            wrong("sign_requests", "required_by_level", message.to_owned());
        }
        connection.sign_requests = true;
        if given.idp_initiated == Some(true) {
            let message = "The level sl2 takes no sign-in that begins at the IdP; idp_initiated is switched off with it.";
            wrong("idp_initiated", "refused_by_level", message.to_owned());
        }
        connection.idp_initiated = false;
        if connection.requested_authn_contexts.as_array().is_none_or(Vec::is_empty) {
            let message =
                "The level sl2 checks how people signed in at the IdP: name the ways that are good enough.";
            wrong("requested_authn_contexts", "required_by_level", message.to_owned());
        }
    }
}

/// The ways of signing in at the IdP that are asked for and accepted; all of them if none are named.
///
/// # Errors
/// [`Error::Internal`] for a row that was not written by this file.
pub fn authn_contexts(connection: &Connection) -> Result<Vec<String>, Error> {
    serde_json::from_value(connection.requested_authn_contexts.clone()).map_err(|error| {
        Error::Internal(format!("what {} asks for cannot be read again: {error}", connection.id))
    })
}

/// Adds the options to what events show of a connection.
pub fn show(connection: &Connection, shown: &mut Value) {
    shown["sign_requests"] = json!(connection.sign_requests);
    shown["name_id_format"] = json!(connection.name_id_format);
    shown["force_authn"] = json!(connection.force_authn);
    shown["requested_authn_contexts"] = connection.requested_authn_contexts.clone();
    shown["require_encryption"] = json!(connection.require_encryption);
    shown["level"] = json!(connection.level);
    shown["idp_initiated"] = json!(connection.idp_initiated);
}
