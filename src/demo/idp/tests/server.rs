//! The demo IdP over HTTP, from the redirect to the page that posts the answer.

use std::sync::Arc;

use super::super::server::{DemoIdp, Person};
use super::*;
use crate::model::random::SystemRandom;
use crate::model::time::ManualClock;
use crate::protocol::saml::request::AuthnRequest;
use crate::protocol::saml::{AttributeMapping, Identity, Subject, read_idp_metadata};

async fn start() -> DemoIdp {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clock = Arc::new(ManualClock::new(NOW.into()));
    let idp = DemoIdp::start(listener, KeyType::EcP256, clock, Arc::new(SystemRandom)).unwrap();
    idp.add_service(SP, ACS);
    idp.put_person(Person {
        id: "p-1".to_owned(),
        email: "jane@corp.example".to_owned(),
        given_name: "Jane".to_owned(),
        family_name: "<Doe>".to_owned(),
    });
    idp
}

fn redirect(idp: &DemoIdp, acs_url: &str, relay_state: &str) -> String {
    let sso_url = idp.sso_url();
    let request = AuthnRequest {
        id: REQUEST,
        issue_instant: NOW,
        sp_entity_id: SP,
        acs_url,
        sso_url: &sso_url,
        force_authn: false,
        name_id_format: None,
        authn_contexts: &[],
        key: None,
    };
    request.redirect_url(Some(relay_state)).unwrap().to_string()
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let at = page.find(&start).unwrap_or_else(|| panic!("no {name} in {page}")) + start.len();
    page[at..]
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
}

#[tokio::test]
async fn a_browser_gets_a_response_that_verifies() {
    let idp = start().await;
    #[expect(clippy::disallowed_methods, reason = "a client in a test")]
    let client = reqwest::Client::new();
    let metadata = client.get(idp.entity_id()).send().await.unwrap().bytes().await.unwrap();
    let metadata = read_idp_metadata(&metadata).unwrap();
    assert_eq!(metadata.entity_id, idp.entity_id());
    assert_eq!(metadata.sso_redirect_url, idp.sso_url());

    let page = client.get(redirect(&idp, ACS, "state\"<&>")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Jane &lt;Doe&gt;") && page.contains("value=\"p-1\""), "{page}");
    let form = [
        ("SAMLRequest", field(&page, "SAMLRequest")),
        ("RelayState", field(&page, "RelayState")),
        ("person", "p-1".to_owned()),
    ];
    let login = format!("http://{}/sso/login", idp.address());
    let page = client.post(&login).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("action=\"{ACS}\"")), "{page}");
    assert_eq!(field(&page, "RelayState"), "state\"<&>");
    let response = field(&page, "SAMLResponse");

    let mut expected = expected(&[]);
    expected.idp_entity_id = idp.entity_id();
    expected.certificates = metadata.certificates;
    let assertion = verify(response.as_bytes(), &expected, NOW).unwrap();
    let identity = Identity::read(&assertion, &AttributeMapping::default()).unwrap();
    assert_eq!(identity.email, "jane@corp.example");
    assert_eq!(identity.display_name.as_deref(), Some("Jane <Doe>"));
    assert_eq!(identity.subject, Subject::Immutable("p-1".to_owned()));

    idp.remove_person("p-1");
    let answer = client.post(&login).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    idp.rotate_key(KeyType::EcP256).unwrap();
    idp.put_person(Person {
        id: "p-1".to_owned(),
        email: String::new(),
        given_name: String::new(),
        family_name: String::new(),
    });
    let answer = idp.answer(&form[0].1, None, "p-1").unwrap();
    let refusal = verify(answer.saml_response.as_bytes(), &expected, NOW).unwrap_err();
    assert_eq!(refusal.code(), "signature_mismatch");
}

#[tokio::test]
async fn strangers_and_rubbish_are_told_so() {
    let idp = start().await;
    let status = async |url: String| reqwest::get(url).await.unwrap().status().as_u16();
    assert_eq!(status(redirect(&idp, "https://evil.example/acs", "x")).await, 400);
    assert_eq!(status(format!("{}?SAMLRequest=AAAA", idp.sso_url())).await, 400);
    assert_eq!(status(format!("{}?SAMLRequest=%25", idp.sso_url())).await, 400);
    assert_eq!(status(idp.sso_url()).await, 400);
}
