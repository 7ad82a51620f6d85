//! The request that sends a browser to the IdP: an AuthnRequest over the HTTP-Redirect binding
//! (saml-bindings-2.0-os, section 3.4), signed where the connection says so. The response is what has to be proven.

use std::fmt::Write as _;

use thiserror::Error;
use time::OffsetDateTime;
use time::macros::format_description;
use url::Url;

use super::own_key::RequestKey;
use super::redirect::{self, LONGEST_RELAY_STATE, MessageKind};
use super::xml::escape;

/// Why no request could be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The IdP's address cannot be used.
    #[error("the IdP's address {0} is not a URL")]
    BadUrl(String),
    /// The RelayState is too long.
    #[error("a RelayState may have at most {LONGEST_RELAY_STATE} bytes")]
    RelayState,
    /// OpenSSL failed. Not expected.
    #[error("the request could not be signed")]
    Signing,
}

/// One request to sign somebody in.
#[derive(Debug, Clone)]
pub struct AuthnRequest<'a> {
    /// The request's id, from [`request_id`].
    pub id: &'a str,
    /// Now.
    pub issue_instant: OffsetDateTime,
    /// Our entity id for this connection.
    pub sp_entity_id: &'a str,
    /// Our assertion consumer service URL.
    pub acs_url: &'a str,
    /// The IdP's sign-on address for the redirect binding; may have a query already.
    pub sso_url: &'a str,
    /// Whether the IdP must ask for credentials again.
    pub force_authn: bool,
    /// The URI of the NameID format to ask for.
    pub name_id_format: Option<&'a str>,
    /// The authentication context classes to ask for, of which one has to be met exactly.
    pub authn_contexts: &'a [String],
    /// What to sign the request with.
    pub key: Option<&'a RequestKey>,
}

/// Makes a request id (an XML name) from 160 random bits of the caller's.
pub fn request_id(random: [u8; 20]) -> String {
    let mut out = String::with_capacity(41);
    out.push('_');
    for byte in random {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

impl AuthnRequest<'_> {
    /// The request as XML.
    pub fn to_xml(&self) -> String {
        let force = if self.force_authn { " ForceAuthn=\"true\"" } else { "" };
        let format =
            self.name_id_format.map(|uri| format!(" Format=\"{}\"", escape(uri))).unwrap_or_default();
        let mut contexts = String::new();
        if !self.authn_contexts.is_empty() {
            contexts.push_str("<samlp:RequestedAuthnContext Comparison=\"exact\">");
            for class in self.authn_contexts {
                let _ = write!(
                    contexts,
                    "<saml:AuthnContextClassRef>{}</saml:AuthnContextClassRef>",
                    escape(class)
                );
            }
            contexts.push_str("</samlp:RequestedAuthnContext>");
        }
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\" Version=\"2.0\" IssueInstant=\"{}\" \
             Destination=\"{}\"{force} ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
             AssertionConsumerServiceURL=\"{}\"><saml:Issuer>{}</saml:Issuer>\
             <samlp:NameIDPolicy{format} AllowCreate=\"true\"/>{contexts}</samlp:AuthnRequest>",
            escape(self.id),
            instant(self.issue_instant),
            escape(self.sso_url),
            escape(self.acs_url),
            escape(self.sp_entity_id),
        )
    }

    /// The address to send the browser to.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn redirect_url(&self, relay_state: Option<&str>) -> Result<Url, RequestError> {
        redirect::address(self.sso_url, MessageKind::Request, &self.to_xml(), relay_state, self.key)
    }
}

/// A time as SAML writes it: UTC, whole seconds.
pub fn instant(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::protocol::saml::scan::{Rules, scan};
    use crate::protocol::saml::xml::ns;

    fn request(sso_url: &str) -> AuthnRequest<'_> {
        AuthnRequest {
            id: "_abc",
            issue_instant: OffsetDateTime::UNIX_EPOCH,
            sp_entity_id: "https://gate.example/saml/1?a=\"<&>",
            acs_url: "https://gate.example/saml/1/acs",
            sso_url,
            force_authn: false,
            name_id_format: None,
            authn_contexts: &[],
            key: None,
        }
    }

    #[test]
    fn the_request_comes_out_of_the_url_as_it_went_in() {
        let url =
            request("https://idp.example/sso?tenant=7&x=a%20b#top").redirect_url(Some("a b&c=d")).unwrap();
        assert!(url.as_str().starts_with("https://idp.example/sso?tenant=7&x=a%20b&SAMLRequest="), "{url}");
        let pairs: std::collections::HashMap<_, _> = url.query_pairs().collect();
        assert_eq!(pairs["RelayState"], "a b&c=d");
        let packed = STANDARD.decode(pairs["SAMLRequest"].as_bytes()).unwrap();
        let mut xml = String::new();
        flate2::read::DeflateDecoder::new(&packed[..]).read_to_string(&mut xml).unwrap();
        let doc = scan(&xml, Rules::MESSAGE).unwrap();
        assert!(doc.is(doc.root(), ns::SAMLP, "AuthnRequest"));
        let issuer = doc.child(doc.root(), ns::SAML, "Issuer").unwrap();
        assert_eq!(doc.text(issuer), "https://gate.example/saml/1?a=\"<&>");
        assert_eq!(doc.element(doc.root()).attribute("IssueInstant"), Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_signed_is_what_stands_in_the_address() {
        let own = crate::protocol::saml::own_key::generate(2048, "gate", OffsetDateTime::UNIX_EPOCH).unwrap();
        let key = RequestKey::from_pkcs8(&own.private).unwrap();
        for sso_url in ["https://idp.example/sso", "https://idp.example/sso?tenant=7&x=a%20b"] {
            let request = AuthnRequest { key: Some(&key), ..request(sso_url) };
            let url = request.redirect_url(Some("a b&c=d")).unwrap();
            let query = url.query().unwrap();
            let from = query.find("SAMLRequest=").unwrap();
            let (signed, signature) = query[from..].split_once("&Signature=").unwrap();
            let names: Vec<&str> = signed.split('&').filter_map(|pair| pair.split('=').next()).collect();
            assert_eq!(names, ["SAMLRequest", "RelayState", "SigAlg"]);
            let signature = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
            let public = own.certificate.public_key();
            let digest = openssl::hash::MessageDigest::sha256();
            let mut verifier = openssl::sign::Verifier::new(digest, public).unwrap();
            let signature = STANDARD.decode(signature).unwrap();
            assert!(verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap(), "{url}");
        }
    }

    #[test]
    fn asks_for_what_the_connection_wants() {
        let contexts = ["urn:a".to_owned(), "urn:b&c".to_owned()];
        let plain = request("https://idp.example/").to_xml();
        assert!(!plain.contains("RequestedAuthnContext") && !plain.contains("Format="), "{plain}");
        let asking = AuthnRequest {
            force_authn: true,
            name_id_format: Some("urn:format"),
            authn_contexts: &contexts,
            ..request("https://idp.example/")
        };
        let xml = asking.to_xml();
        let doc = scan(&xml, Rules::MESSAGE).unwrap();
        let child = |name| doc.child(doc.root(), ns::SAMLP, name).unwrap();
        assert_eq!(doc.element(doc.root()).attribute("ForceAuthn"), Some("true"));
        assert_eq!(doc.element(child("NameIDPolicy")).attribute("Format"), Some("urn:format"));
        let asked = child("RequestedAuthnContext");
        assert_eq!(doc.element(asked).attribute("Comparison"), Some("exact"));
        let classes: Vec<String> = doc.children(asked).map(|class| doc.text(class)).collect();
        assert_eq!(classes, contexts);
    }

    #[test]
    fn refuses_long_states_and_bad_urls() {
        let long = "x".repeat(81);
        assert_eq!(request("https://idp.example/").redirect_url(Some(&long)), Err(RequestError::RelayState));
        assert!(matches!(request("not a url").redirect_url(None), Err(RequestError::BadUrl(_))));
    }

    #[test]
    fn ids_are_xml_names_with_all_the_bits() {
        let id = request_id([0xab; 20]);
        assert_eq!(id, format!("_{}", "ab".repeat(20)));
    }
}
