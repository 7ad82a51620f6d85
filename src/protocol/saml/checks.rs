//! The checks of the web browser SSO profile (saml-profiles-2.0-os, section 4.1.4) and of saml-core-2.0-os on
//! the response and the assertion. They read an element of a tree and give back values or a refusal.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::logout::NameIdAttributes;
use super::refusal::{SamlRefusal, shown};
use super::response::{AssertionAttribute, Expectations, NameId, NameIdFormat};
use super::xml::{Document, ElementId, ns};

const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const LONGEST_NAME_ID: usize = 1024;

/// What an assertion says, once all checks have passed.
pub(super) struct Facts {
    pub id: String,
    pub issuer: String,
    pub issue_instant: OffsetDateTime,
    pub name_id: NameId,
    pub not_on_or_after: OffsetDateTime,
    pub session_not_on_or_after: Option<OffsetDateTime>,
    pub session_index: Option<String>,
    pub authn_instant: OffsetDateTime,
    pub authn_context_class_ref: Option<String>,
    pub in_response_to: Option<String>,
    pub attributes: Vec<AssertionAttribute>,
}

/// Refuses a response whose status is not success, with the IdP's own codes and words.
pub(super) fn status(doc: &Document<'_>, response: ElementId) -> Result<(), SamlRefusal> {
    let status = one(doc, response, ns::SAMLP, "Status", "the response's Status")?;
    let outer = one(doc, status, ns::SAMLP, "StatusCode", "the response's StatusCode")?;
    let value = |id: ElementId| doc.element(id).attribute("Value").unwrap_or_default();
    let name = |id: ElementId| shown(value(id).strip_prefix(STATUS).unwrap_or(value(id)));
    if value(outer).strip_prefix(STATUS) == Some("Success") {
        return Ok(());
    }
    let mut codes = name(outer);
    if let Some(inner) = doc.child(outer, ns::SAMLP, "StatusCode") {
        codes.push_str(" / ");
        codes.push_str(&name(inner));
    }
    let message = doc
        .child(status, ns::SAMLP, "StatusMessage")
        .map(|id| doc.text(id))
        .filter(|text| !text.trim().is_empty())
        .map(|text| shown(&text));
    Err(SamlRefusal::IdpStatus { status: codes, message })
}

/// Checks the response element. Where the assertion is signed this can only refuse: no value is taken.
pub(super) fn response(
    doc: &Document<'_>,
    response: ElementId,
    signed: bool,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<(), SamlRefusal> {
    status(doc, response)?;
    version(doc, response, "Response")?;
    let element = doc.element(response);
    if doc.child(response, ns::SAML, "Issuer").is_some() {
        issuer(doc, response, "Response", expected)?;
    }
    match element.attribute("Destination") {
        Some(found) if found == expected.acs_url => {}
        // saml-bindings-2.0-os 3.5.5.2: a signed message must have it; without a signature Recipient does the work.
        None if !signed => {}
        found => {
            return Err(SamlRefusal::WrongDestination {
                expected: expected.acs_url.clone(),
                found: shown(found.unwrap_or_default()),
            });
        }
    }
    in_response_to(element.attribute("InResponseTo"), "Response", expected)?;
    if let Some(instant) = element.attribute("IssueInstant") {
        let what = "the response's IssueInstant";
        not_before(what, parse_time(what, instant)?, expected, now)?;
    }
    Ok(())
}

/// Checks the assertion and reads it. The tree must be one of verified bytes.
pub(super) fn assertion(
    doc: &Document<'_>,
    assertion: ElementId,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<Facts, SamlRefusal> {
    version(doc, assertion, "Assertion")?;
    let element = doc.element(assertion);
    let id = element.attribute("ID").ok_or(SamlRefusal::Missing { what: "the assertion's ID" })?.to_owned();
    let issuer = issuer(doc, assertion, "Assertion", expected)?;
    let what = "the assertion's IssueInstant";
    let instant = element.attribute("IssueInstant").ok_or(SamlRefusal::Missing { what })?;
    let issue_instant = parse_time(what, instant)?;
    not_before(what, issue_instant, expected, now)?;
    let subject = one(doc, assertion, ns::SAML, "Subject", "the assertion's Subject")?;
    let name_id = name_id(doc, subject)?;
    let confirmed_until = confirmation(doc, subject, expected, now)?;
    let conditions_until = conditions(doc, assertion, expected, now)?;
    let session = authn_statements(doc, assertion, expected, now)?;
    let accepted = |class: &String| expected.authn_contexts.contains(class);
    if !expected.authn_contexts.is_empty() && !session.class_ref.as_ref().is_some_and(accepted) {
        return Err(SamlRefusal::WrongAuthnContext {
            expected: expected.authn_contexts.to_vec(),
            found: shown(session.class_ref.as_deref().unwrap_or_default()),
        });
    }
    Ok(Facts {
        id,
        issuer,
        issue_instant,
        name_id,
        not_on_or_after: conditions_until.map_or(confirmed_until, |until| until.min(confirmed_until)),
        session_not_on_or_after: session.not_on_or_after,
        session_index: session.index,
        authn_instant: session.instant,
        authn_context_class_ref: session.class_ref,
        in_response_to: expected.request_id.clone(),
        attributes: attributes(doc, assertion),
    })
}

fn one(
    doc: &Document<'_>,
    parent: ElementId,
    namespace: &'static str,
    local: &'static str,
    what: &'static str,
) -> Result<ElementId, SamlRefusal> {
    let mut found = doc.children_named(parent, namespace, local);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(SamlRefusal::Missing { what }),
        (Some(_), Some(_)) => Err(SamlRefusal::BadValue { what, found: "several elements".to_owned() }),
    }
}

fn version(doc: &Document<'_>, id: ElementId, element: &'static str) -> Result<(), SamlRefusal> {
    match doc.element(id).attribute("Version") {
        Some("2.0") => Ok(()),
        found => Err(SamlRefusal::WrongVersion { element, found: shown(found.unwrap_or_default()) }),
    }
}

fn issuer(
    doc: &Document<'_>,
    parent: ElementId,
    element: &'static str,
    expected: &Expectations,
) -> Result<String, SamlRefusal> {
    let issuer = one(doc, parent, ns::SAML, "Issuer", "the Issuer")?;
    let found = doc.text(issuer);
    if found.trim() == expected.idp_entity_id {
        return Ok(expected.idp_entity_id.clone());
    }
    Err(SamlRefusal::WrongIssuer { element, expected: expected.idp_entity_id.clone(), found: shown(&found) })
}

fn in_response_to(
    found: Option<&str>,
    element: &'static str,
    expected: &Expectations,
) -> Result<(), SamlRefusal> {
    match (found, &expected.request_id) {
        (None, None) => Ok(()),
        (None | Some(""), Some(_)) => Err(SamlRefusal::Unsolicited { element }),
        (Some(found), Some(request)) if found == request => Ok(()),
        (Some(found), request) => {
            Err(SamlRefusal::WrongInResponseTo { element, expected: request.clone(), found: shown(found) })
        }
    }
}

/// The one NameID of an element.
pub(super) fn name_id(doc: &Document<'_>, subject: ElementId) -> Result<NameId, SamlRefusal> {
    let what = "the subject's NameID";
    let id = one(doc, subject, ns::SAML, "NameID", what)?;
    let text = doc.text(id);
    let value = text.trim();
    if value.is_empty() {
        return Err(SamlRefusal::Missing { what });
    }
    if doc.children(id).next().is_some()
        || value.chars().count() > LONGEST_NAME_ID
        || value.chars().any(char::is_control)
    {
        return Err(SamlRefusal::BadValue { what, found: shown(value) });
    }
    let format =
        doc.element(id).attribute("Format").map_or(NameIdFormat::Unspecified, NameIdFormat::from_uri);
    let written = |name| match doc.element(id).attribute(name) {
        Some(text) if text.len() > LONGEST_NAME_ID => Err(SamlRefusal::BadValue { what, found: shown(text) }),
        other => Ok(other.map(str::to_owned)),
    };
    let attributes = NameIdAttributes {
        format: written("Format")?,
        name_qualifier: written("NameQualifier")?,
        sp_name_qualifier: written("SPNameQualifier")?,
    };
    Ok(NameId { value: value.to_owned(), format, attributes })
}

/// At least one bearer confirmation must hold in all its parts; gives its end.
fn confirmation(
    doc: &Document<'_>,
    subject: ElementId,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, SamlRefusal> {
    let mut first = None;
    for id in doc.children_named(subject, ns::SAML, "SubjectConfirmation") {
        if doc.element(id).attribute("Method") != Some(BEARER) {
            continue;
        }
        match bearer(doc, id, expected, now) {
            Ok(until) => return Ok(until),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or(SamlRefusal::Missing { what: "a SubjectConfirmation with the method bearer" }))
}

fn bearer(
    doc: &Document<'_>,
    id: ElementId,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, SamlRefusal> {
    let data = one(doc, id, ns::SAML, "SubjectConfirmationData", "the SubjectConfirmationData")?;
    let data = doc.element(data);
    let recipient = data.attribute("Recipient");
    if recipient != Some(&*expected.acs_url) {
        return Err(SamlRefusal::WrongRecipient {
            expected: expected.acs_url.clone(),
            found: shown(recipient.unwrap_or_default()),
        });
    }
    in_response_to(data.attribute("InResponseTo"), "SubjectConfirmationData", expected)?;
    if let Some(value) = data.attribute("NotBefore") {
        let what = "the confirmation's NotBefore";
        not_before(what, parse_time(what, value)?, expected, now)?;
    }
    let what = "the confirmation's NotOnOrAfter";
    let value = data.attribute("NotOnOrAfter").ok_or(SamlRefusal::Missing { what })?;
    let until = parse_time(what, value)?;
    not_after(what, until, expected, now)?;
    Ok(until)
}

/// All conditions must hold, every audience restriction among them; gives their end if they have one.
fn conditions(
    doc: &Document<'_>,
    assertion: ElementId,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, SamlRefusal> {
    let conditions = one(doc, assertion, ns::SAML, "Conditions", "the assertion's Conditions")?;
    if let Some(value) = doc.element(conditions).attribute("NotBefore") {
        let what = "the conditions' NotBefore";
        not_before(what, parse_time(what, value)?, expected, now)?;
    }
    let mut until = None;
    if let Some(value) = doc.element(conditions).attribute("NotOnOrAfter") {
        let what = "the conditions' NotOnOrAfter";
        let at = parse_time(what, value)?;
        not_after(what, at, expected, now)?;
        until = Some(at);
    }
    let mut restricted = false;
    for id in doc.children(conditions) {
        let element = doc.element(id);
        match (element.namespace, element.local) {
            (ns::SAML, "AudienceRestriction") => {
                restricted = true;
                let audiences: Vec<String> = doc
                    .children_named(id, ns::SAML, "Audience")
                    .map(|audience| doc.text(audience).trim().to_owned())
                    .collect();
                if !audiences.contains(&expected.sp_entity_id) {
                    return Err(SamlRefusal::WrongAudience {
                        expected: expected.sp_entity_id.clone(),
                        found: audiences.iter().take(8).map(|a| shown(a)).collect(),
                    });
                }
            }
            // Every assertion is used once, and none is passed on, whatever it says.
            (ns::SAML, "OneTimeUse" | "ProxyRestriction") => {}
            _ => {
                return Err(SamlRefusal::UnknownCondition { found: shown(&element.qualified_name()) });
            }
        }
    }
    if restricted {
        Ok(until)
    } else {
        Err(SamlRefusal::Missing { what: "the conditions' AudienceRestriction" })
    }
}

struct Session {
    instant: OffsetDateTime,
    index: Option<String>,
    not_on_or_after: Option<OffsetDateTime>,
    class_ref: Option<String>,
}

fn authn_statements(
    doc: &Document<'_>,
    assertion: ElementId,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<Session, SamlRefusal> {
    let mut session: Option<Session> = None;
    for id in doc.children_named(assertion, ns::SAML, "AuthnStatement") {
        let element = doc.element(id);
        let what = "the AuthnStatement's AuthnInstant";
        let value = element.attribute("AuthnInstant").ok_or(SamlRefusal::Missing { what })?;
        let instant = parse_time(what, value)?;
        not_before(what, instant, expected, now)?;
        let mut until = None;
        if let Some(value) = element.attribute("SessionNotOnOrAfter") {
            let what = "the AuthnStatement's SessionNotOnOrAfter";
            let at = parse_time(what, value)?;
            not_after(what, at, expected, now)?;
            until = Some(at);
        }
        if let Some(session) = &mut session {
            session.not_on_or_after = session.not_on_or_after.into_iter().chain(until).min();
            continue;
        }
        let class_ref = doc
            .child(id, ns::SAML, "AuthnContext")
            .and_then(|context| doc.child(context, ns::SAML, "AuthnContextClassRef"))
            .map(|class| doc.text(class).trim().to_owned());
        let index = element.attribute("SessionIndex").map(str::to_owned);
        session = Some(Session { instant, index, not_on_or_after: until, class_ref });
    }
    session.ok_or(SamlRefusal::Missing { what: "the assertion's AuthnStatement" })
}

pub(super) fn attributes(doc: &Document<'_>, assertion: ElementId) -> Vec<AssertionAttribute> {
    let mut out = Vec::new();
    for statement in doc.children_named(assertion, ns::SAML, "AttributeStatement") {
        for id in doc.children_named(statement, ns::SAML, "Attribute") {
            let element = doc.element(id);
            let values = doc
                .children_named(id, ns::SAML, "AttributeValue")
                .filter(|value| !is_nil(doc, *value))
                .map(|value| doc.deep_text(value).trim().to_owned())
                .collect();
            out.push(AssertionAttribute {
                name: element.attribute("Name").unwrap_or_default().trim().to_owned(),
                friendly_name: element.attribute("FriendlyName").map(str::to_owned),
                values,
            });
        }
    }
    out
}

fn is_nil(doc: &Document<'_>, id: ElementId) -> bool {
    let nil = doc.element(id).attributes.iter().find(|a| a.namespace == ns::XSI && a.local == "nil");
    nil.is_some_and(|a| matches!(&*a.value, "true" | "1"))
}

/// xs:dateTime; one without a zone is UTC (saml-core-2.0-os 1.3.3).
pub(super) fn parse_time(what: &'static str, value: &str) -> Result<OffsetDateTime, SamlRefusal> {
    let value = value.trim();
    let time_of_day = value.split_once('T').map_or("", |(_, time)| time);
    let zoned = time_of_day.ends_with('Z') || time_of_day.contains(['+', '-']);
    let parsed = if zoned {
        OffsetDateTime::parse(value, &Rfc3339)
    } else {
        OffsetDateTime::parse(&format!("{value}Z"), &Rfc3339)
    };
    parsed.map_err(|_| SamlRefusal::BadValue { what, found: shown(value) })
}

fn not_before(
    what: &'static str,
    at: OffsetDateTime,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<(), SamlRefusal> {
    let ahead: Duration = at - now;
    if ahead > expected.clock_skew { Err(SamlRefusal::NotYetValid { what, at, ahead }) } else { Ok(()) }
}

fn not_after(
    what: &'static str,
    at: OffsetDateTime,
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<(), SamlRefusal> {
    let behind: Duration = now - at;
    if behind >= expected.clock_skew { Err(SamlRefusal::Expired { what, at, behind }) } else { Ok(()) }
}
