//! Signed responses at the assertion consumer service: the requests to answer and the answers are made before, so
//! that nothing but the service itself is under the clock.
//!
//! Each place that an IdP may sign is measured for itself: most sign the assertion alone (Entra ID, Google, AD FS),
//! some the response alone (Keycloak), Okta signs both, which is two signatures to verify.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use postern::demo::idp::{Person, Placement, Signing};
use url::Url;
use url::form_urlencoded::Serializer;

use super::http::{Connection, write_request};
use super::load::{CONCURRENCY, Outcome, Script, Step, run};
use super::tenant::{DOMAIN, Tenant};

/// How many people sign in, over and over; the first time each is made just in time.
const PEOPLE: usize = 40;

/// What is signed, and what the table calls it; the usual one first.
pub const FORMS: [(Placement, &str); 3] = [
    (Placement::Assertion, "the assertion"),
    (Placement::Response, "the response"),
    (Placement::Both, "both"),
];

/// Makes the people known to the IdP and signs each in once.
pub async fn first_time(tenant: &Tenant) -> anyhow::Result<()> {
    for number in 0..PEOPLE {
        tenant.idp.put_person(Person {
            id: format!("subject-{number}"),
            email: format!("signer{number}@{DOMAIN}"),
            given_name: format!("Given{number}"),
            family_name: format!("Family{number}"),
        });
    }
    let requests = prepare(tenant, Placement::Assertion, PEOPLE).await?;
    post(tenant, requests).await?;
    Ok(())
}

/// Begins so many sign-ins and has the IdP answer them; gives the requests that bring the answers.
pub async fn prepare(tenant: &Tenant, signed: Placement, attempts: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    tenant.idp.set_signing(Signing::at(signed));
    let mut connection = Connection::open(tenant.address).await?;
    let mut requests = Vec::with_capacity(attempts);
    for attempt in 0..attempts {
        let number = attempt % PEOPLE;
        let mut request = Vec::new();
        let path = format!("/login?email=signer{number}%40{DOMAIN}");
        write_request(&mut request, ("GET", &path), "", ("", b""));
        let reply = connection.send(&request).await?;
        let body = || String::from_utf8_lossy(reply.body);
        ensure!((300..400).contains(&reply.status), "{path} answered {}: {}", reply.status, body());
        let location = reply.headers("location").next().context("a Location")?;
        // Everything up to the first semicolon is what a browser sends back.
        let cookies: Vec<&str> =
            reply.headers("set-cookie").filter_map(|set| set.split(';').next()).collect();
        let asked = Url::parse(location)?;
        let parameter = |name: &str| asked.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let saml_request = parameter("SAMLRequest").context("a SAMLRequest")?;
        let relay_state = parameter("RelayState");
        let answer =
            tenant.idp.answer(&saml_request, relay_state.as_deref(), &format!("subject-{number}"))?;
        requests.push(posted(
            &answer.acs_url,
            &cookies.join("; "),
            &answer.saml_response,
            relay_state.as_deref(),
        )?);
    }
    Ok(requests)
}

/// The request that the browser makes of the IdP's page.
fn posted(acs_url: &str, cookies: &str, response: &str, relay: Option<&str>) -> anyhow::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut form = Serializer::new(String::new());
    form.append_pair("SAMLResponse", response);
    if let Some(state) = relay {
        form.append_pair("RelayState", state);
    }
    let form = form.finish();
    let acs = Url::parse(acs_url)?;
    let mut request = Vec::with_capacity(form.len() + 512);
    write!(
        request,
        "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nSec-Fetch-Site: cross-site\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        acs.path(),
        form.len()
    )?;
    Ok(request)
}

/// Brings all the answers, at the usual concurrency; each must lead on.
pub async fn post(tenant: &Tenant, requests: Vec<Vec<u8>>) -> anyhow::Result<Outcome> {
    let mut scripts: Vec<Answers> = std::iter::repeat_with(Answers::default).take(CONCURRENCY).collect();
    for (number, request) in requests.into_iter().enumerate() {
        scripts[number % CONCURRENCY].0.push(request);
    }
    let (outcome, left) = run(tenant.address, scripts, Duration::from_mins(1)).await?;
    ensure!(left.iter().all(|script| script.0.is_empty()), "the responses took more than a minute");
    Ok(outcome)
}

#[derive(Default)]
struct Answers(Vec<Vec<u8>>);

impl Script for Answers {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        request.extend_from_slice(&self.0.pop()?);
        Some(Step { kind: 0, expected: 300..=399 })
    }
}
