//! The codes that a log-out message is refused with, in the same form as those of sign-ins: what the person at the browser
//! reads, what it means, and what an administrator changes.

use super::codes::{self, Code, Field};
use crate::model::sign_in::SignInStep::{self, Checks, Match, Response, Signature};

const STILL: &str = "You may still be signed in at your identity provider, or here. Sign out in both places, and on a shared computer close \
     the browser.";
const ADMIN: &str =
    "Send the reference below to your administrator, who finds the details in the sign-in log.";
const UNREADABLE: &str =
    "A message about signing out came from your identity provider, and it cannot be read.";
const NOT_GENUINE: &str =
    "A message about signing out could not be proven to come from your identity provider.";
const OTHER: &str =
    "A message about signing out came that is not meant for this place, or not for this time.";

const fn code(
    code: &'static str,
    step: SignInStep,
    (plain, check): (&'static str, &'static str),
    meaning: &'static str,
    fix: &'static str,
    field: Option<Field>,
) -> Code {
    Code { code, step, plain, check, meaning, fix, field }
}

/// All of them.
pub const CODES: &[Code] = &[
    code(
        "logout_unreadable",
        Response,
        (UNREADABLE, ADMIN),
        "The log-out message has another form than SAML 2.0 and its bindings give it. The log says what is wrong.",
        "Check that the IdP sends log-out messages to the slo_url of the connection by HTTP-Redirect or HTTP-POST, and \
         that nothing between it and this server rewrites addresses.",
        None,
    ),
    code(
        "logout_unsigned",
        Signature,
        (NOT_GENUINE, STILL),
        "The log-out message has no signature, so anybody could have sent it.",
        "Have the IdP sign log-out requests and responses. It is often a switch of its own beside {field}.",
        Some(Field::Signing),
    ),
    code(
        "logout_not_genuine",
        Signature,
        (NOT_GENUINE, STILL),
        "The signature of the log-out message was made by no certificate of the connection, by an algorithm that is not \
         accepted, or over something else.",
        "Compare the IdP's certificate with {field}; signatures by RSA or ECDSA with SHA-256, SHA-384 or SHA-512 are taken.",
        Some(Field::Certificate),
    ),
    code(
        "logout_wrong_issuer",
        Checks,
        (OTHER, STILL),
        "The Issuer of the log-out message is not the connection's IdP entity id.",
        "Compare idp_entity_id of the connection with {field}.",
        Some(Field::Issuer),
    ),
    code(
        "logout_wrong_destination",
        Checks,
        (OTHER, STILL),
        "The Destination of the log-out message is not the slo_url of the connection, or there is none.",
        "Set the single logout URL of this application at the IdP to the slo_url of the connection.",
        None,
    ),
    code(
        "logout_untimely",
        Checks,
        (OTHER, STILL),
        "The log-out message is older than five minutes, over by its own word, or from the future.",
        "Compare the clocks of the IdP and of this server. If they agree, somebody sent an old message again.",
        None,
    ),
    code(
        "logout_no_name_id",
        Checks,
        (UNREADABLE, ADMIN),
        "The log-out request does not name the person by a NameID that can be read: it is encrypted, or another kind of name.",
        "Switch off the encryption of the NameID for this application at the IdP.",
        None,
    ),
    code(
        "logout_replayed",
        Checks,
        (OTHER, STILL),
        "The log-out request came before, and each is good for once.",
        "Nothing, if it stays the exception: the person went back in the browser. Else somebody sent it again.",
        None,
    ),
    code(
        "logout_unknown_request",
        Match,
        (OTHER, STILL),
        "The answer is to no log-out request of this connection that this browser made, or that request was answered before.",
        "Nothing, if it stays the exception.",
        None,
    ),
];

/// These and the codes of sign-ins.
pub fn all() -> impl Iterator<Item = &'static Code> {
    codes::CODES.iter().chain(CODES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::saml::Console;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_is_in_the_table_once() {
        let sources =
            [include_str!("../../protocol/saml/logout.rs"), include_str!("../single_logout/refusal.rs")];
        let mut existing = BTreeSet::new();
        for source in sources {
            let body = source.split("fn code(&self)").nth(1).expect("a function that gives codes");
            let body = body.split("\n    }\n").next().unwrap_or_default();
            existing.extend(body.split('"').filter(|text| text.starts_with("logout_")));
        }
        let table: BTreeSet<&str> = CODES.iter().map(|code| code.code).collect();
        assert_eq!((table.len(), &table), (CODES.len(), &existing));
        assert_eq!(all().map(|code| code.code).collect::<BTreeSet<_>>().len(), all().count());
        for code in CODES {
            assert_eq!(code.fix.contains("{field}"), code.field.is_some(), "{}", code.code);
            for text in [code.plain, code.check, code.meaning, &code.fix_at(Console::Okta)] {
                assert!(text.ends_with('.') && !text.contains("{field}"), "{}: {text}", code.code);
            }
        }
    }
}
