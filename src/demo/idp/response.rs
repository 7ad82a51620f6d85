//! The text of a SAML response: a right one by default, and every part of it can be set to something else.

use std::fmt::Write as _;

use time::{Duration, OffsetDateTime};

use crate::protocol::saml::request::instant;
use crate::protocol::saml::xml::escape;

/// NameID format: persistent.
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// NameID format: e-mail address.
pub const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// What a response says. `None` leaves the part out.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of SAML")]
pub struct ResponseSpec {
    pub version: String,
    pub response_id: String,
    pub assertion_id: String,
    pub issue_instant: OffsetDateTime,
    pub destination: Option<String>,
    pub response_in_response_to: Option<String>,
    pub response_issuer: Option<String>,
    pub status: Option<String>,
    pub status_message: Option<String>,
    pub assertion_issuer: Option<String>,
    pub name_id: Option<String>,
    pub name_id_format: Option<String>,
    pub confirmation_method: String,
    pub recipient: Option<String>,
    pub confirmation_in_response_to: Option<String>,
    pub confirmation_not_before: Option<OffsetDateTime>,
    pub confirmation_not_on_or_after: Option<OffsetDateTime>,
    pub conditions: bool,
    pub not_before: Option<OffsetDateTime>,
    pub not_on_or_after: Option<OffsetDateTime>,
    /// One AudienceRestriction for each, with its audiences.
    pub audiences: Vec<Vec<String>>,
    /// More conditions, as XML.
    pub more_conditions: String,
    pub authn_instant: Option<OffsetDateTime>,
    pub session_index: Option<String>,
    pub session_not_on_or_after: Option<OffsetDateTime>,
    pub class_ref: String,
    /// Names and values.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl ResponseSpec {
    /// A response that signs somebody in: valid for five minutes, session of eight hours, persistent NameID.
    pub fn new(
        idp_entity_id: &str,
        sp_entity_id: &str,
        acs_url: &str,
        request_id: &str,
        ids: (&str, &str),
        now: OffsetDateTime,
    ) -> Self {
        Self {
            version: "2.0".to_owned(),
            response_id: ids.0.to_owned(),
            assertion_id: ids.1.to_owned(),
            issue_instant: now,
            destination: Some(acs_url.to_owned()),
            response_in_response_to: Some(request_id.to_owned()),
            response_issuer: Some(idp_entity_id.to_owned()),
            status: Some(SUCCESS.to_owned()),
            status_message: None,
            assertion_issuer: Some(idp_entity_id.to_owned()),
            name_id: None,
            name_id_format: Some(PERSISTENT.to_owned()),
            confirmation_method: "urn:oasis:names:tc:SAML:2.0:cm:bearer".to_owned(),
            recipient: Some(acs_url.to_owned()),
            confirmation_in_response_to: Some(request_id.to_owned()),
            confirmation_not_before: None,
            confirmation_not_on_or_after: Some(now.saturating_add(Duration::minutes(5))),
            conditions: true,
            not_before: Some(now.saturating_sub(Duration::minutes(1))),
            not_on_or_after: Some(now.saturating_add(Duration::minutes(5))),
            audiences: vec![vec![sp_entity_id.to_owned()]],
            more_conditions: String::new(),
            authn_instant: Some(now),
            session_index: Some(ids.1.to_owned()),
            session_not_on_or_after: Some(now.saturating_add(Duration::hours(8))),
            class_ref: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport".to_owned(),
            attributes: Vec::new(),
        }
    }

    /// The response without any signature.
    pub fn to_xml(&self) -> String {
        let mut out = String::from("<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"");
        attribute(&mut out, "ID", Some(&self.response_id));
        attribute(&mut out, "Version", Some(&self.version));
        attribute(&mut out, "IssueInstant", Some(&instant(self.issue_instant)));
        attribute(&mut out, "Destination", self.destination.as_deref());
        attribute(&mut out, "InResponseTo", self.response_in_response_to.as_deref());
        out.push('>');
        push_issuer(&mut out, self.response_issuer.as_deref());
        if let Some(status) = &self.status {
            let _ = write!(out, "<samlp:Status><samlp:StatusCode Value=\"{}\"/>", escape(status));
            if let Some(message) = &self.status_message {
                let _ = write!(out, "<samlp:StatusMessage>{}</samlp:StatusMessage>", escape(message));
            }
            out.push_str("</samlp:Status>");
        }
        out.push_str(&self.assertion_xml());
        out.push_str("</samlp:Response>");
        out
    }

    /// The assertion alone.
    pub fn assertion_xml(&self) -> String {
        let mut out = String::from(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
             xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"",
        );
        attribute(&mut out, "ID", Some(&self.assertion_id));
        attribute(&mut out, "Version", Some(&self.version));
        attribute(&mut out, "IssueInstant", Some(&instant(self.issue_instant)));
        out.push('>');
        push_issuer(&mut out, self.assertion_issuer.as_deref());
        self.subject(&mut out);
        self.push_conditions(&mut out);
        if let Some(at) = self.authn_instant {
            out.push_str("<saml:AuthnStatement");
            attribute(&mut out, "AuthnInstant", Some(&instant(at)));
            attribute(&mut out, "SessionIndex", self.session_index.as_deref());
            let until = self.session_not_on_or_after.map(instant);
            attribute(&mut out, "SessionNotOnOrAfter", until.as_deref());
            let _ = write!(
                out,
                "><saml:AuthnContext><saml:AuthnContextClassRef>{}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>",
                escape(&self.class_ref)
            );
        }
        if !self.attributes.is_empty() {
            out.push_str("<saml:AttributeStatement>");
            for (name, values) in &self.attributes {
                let _ = write!(out, "<saml:Attribute Name=\"{}\">", escape(name));
                for value in values {
                    let _ = write!(
                        out,
                        "<saml:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                         xsi:type=\"xs:string\">{}</saml:AttributeValue>",
                        escape(value)
                    );
                }
                out.push_str("</saml:Attribute>");
            }
            out.push_str("</saml:AttributeStatement>");
        }
        out.push_str("</saml:Assertion>");
        out
    }

    fn subject(&self, out: &mut String) {
        out.push_str("<saml:Subject>");
        if let Some(name_id) = &self.name_id {
            out.push_str("<saml:NameID");
            attribute(out, "Format", self.name_id_format.as_deref());
            let _ = write!(out, ">{}</saml:NameID>", escape(name_id));
        }
        out.push_str("<saml:SubjectConfirmation");
        attribute(out, "Method", Some(&self.confirmation_method));
        out.push_str("><saml:SubjectConfirmationData");
        attribute(out, "Recipient", self.recipient.as_deref());
        attribute(out, "InResponseTo", self.confirmation_in_response_to.as_deref());
        attribute(out, "NotBefore", self.confirmation_not_before.map(instant).as_deref());
        attribute(out, "NotOnOrAfter", self.confirmation_not_on_or_after.map(instant).as_deref());
        out.push_str("/></saml:SubjectConfirmation></saml:Subject>");
    }

    fn push_conditions(&self, out: &mut String) {
        if !self.conditions {
            return;
        }
        out.push_str("<saml:Conditions");
        attribute(out, "NotBefore", self.not_before.map(instant).as_deref());
        attribute(out, "NotOnOrAfter", self.not_on_or_after.map(instant).as_deref());
        out.push('>');
        for restriction in &self.audiences {
            out.push_str("<saml:AudienceRestriction>");
            for audience in restriction {
                let _ = write!(out, "<saml:Audience>{}</saml:Audience>", escape(audience));
            }
            out.push_str("</saml:AudienceRestriction>");
        }
        out.push_str(&self.more_conditions);
        out.push_str("</saml:Conditions>");
    }
}

fn attribute(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(out, " {name}=\"{}\"", escape(value));
    }
}

fn push_issuer(out: &mut String, issuer: Option<&str>) {
    if let Some(issuer) = issuer {
        let _ = write!(
            out,
            "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{}</saml:Issuer>",
            escape(issuer)
        );
    }
}
