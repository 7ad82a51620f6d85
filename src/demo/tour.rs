//! The story of the demo, chapter by chapter. Each step is a request to the gateway over its real doors, and each is
//! shown together with what came back; what does not come back as it should ends the story with an error.

use futures_util::TryFutureExt as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::browser::{Browser, Page, shown};
use super::error::DemoError;
use super::people::{self, DOMAIN, Employee};
use super::rest::{Answer, Body, Rest, loopback_client};
use super::scim_client::{self, ScimClient};
use super::screen::{Screen, line, thousands};
use super::stage::Stage;
use crate::model::scope::Scope;
use crate::service::{Ctx, operator_keys};

/// What the API key of the demo may do.
const SCOPES: [Scope; 16] = [
    Scope::OrganizationRead,
    Scope::OrganizationWrite,
    Scope::MemberRead,
    Scope::MemberWrite,
    Scope::DomainRead,
    Scope::DomainWrite,
    Scope::ConnectionRead,
    Scope::ConnectionWrite,
    Scope::ScimRead,
    Scope::ScimWrite,
    Scope::InviteRead,
    Scope::InviteWrite,
    Scope::ApiKeyRead,
    Scope::ApiKeyWrite,
    Scope::EventRead,
    Scope::Trust,
];

/// What somebody needs to go on by hand.
#[derive(Debug, Clone)]
pub struct Results {
    pub operator_key: String,
    pub api_key: String,
    pub scim_base_url: String,
    pub scim_token: String,
    /// The name of the TXT record.
    pub record_name: String,
    /// Who is still active and known to the IdP.
    pub active: Employee,
    /// Somebody of the thousand who can be deactivated, and the SCIM id.
    pub next: Employee,
    pub next_id: String,
}

/// Tells the story.
pub async fn tell(screen: Screen, stage: &Stage) -> Result<Results, DemoError> {
    let client = loopback_client()?;
    opening(screen, stage)?;
    let (operator_key, api_key) = organization(screen, stage, &client).await?;
    let rest = Rest::new(&client, &stage.public_url, &api_key);
    let (domain, record_name) = domain(screen, stage, &rest).await?;
    saml(screen, stage, &rest, &domain).await?;
    let ada = people::ada();
    let (browser, user) = first_sign_in(screen, stage, &ada).await?;
    let (scim, scim_base_url, scim_token) = directory(screen, &rest, &client, &domain).await?;
    let employees = people::employees();
    push(screen, &rest, &scim, &employees).await?;
    leaving(screen, stage, &rest, &scim, &ada, (&browser, &user)).await?;
    events(screen, &rest).await?;
    let [active, next, ..] = &employees[..] else {
        return Err(DemoError::unexpected("the demo", "some employees", "fewer than two"));
    };
    let next_id = scim.find(&next.email).await?.ok_or_else(|| {
        DemoError::unexpected("SCIM GET /Users", format!("{} in the directory", next.email), "nobody")
    })?;
    let (active, next) = (active.clone(), next.clone());
    Ok(Results { operator_key, api_key, scim_base_url, scim_token, record_name, active, next, next_id })
}

fn opening(screen: Screen, stage: &Stage) -> Result<(), DemoError> {
    screen.chapter("1  The gateway and its peers, all on this machine")?;
    screen.done(&format!("name server on {}, UDP and TCP", stage.names.address()))?;
    screen.done(&format!("SAML identity provider at {}", stage.idp.entity_id()))?;
    screen.done(&format!(
        "gateway at {}, on SQLite, listening after {} ms",
        stage.public_url,
        stage.started_in.as_millis()
    ))
}

/// Makes the operator's key as `postern operator-key create` does, then an organization and a key of its own.
async fn organization(screen: Screen, stage: &Stage, client: &Client) -> Result<(String, String), DemoError> {
    screen.chapter("2  The operator makes an organization")?;
    let services = stage.gateway.services();
    let ctx = Ctx::system(services.clock.now());
    let failed = |error: crate::service::Error| DemoError::UseCase {
        doing: "making the operator's key",
        cause: error.to_string(),
    };
    let (_, token) = operator_keys::create(services, &ctx, "demo").await.map_err(failed)?;
    let operator_key = token.reveal().to_owned();
    screen.done("operator's key, good for every organization (postern operator-key create)")?;
    screen.fact("secret", &operator_key)?;

    let operator = Rest::new(client, &stage.public_url, &operator_key);
    let made =
        operator.post("/organizations", &json!({ "name": "Acme" })).await?.expect(StatusCode::CREATED)?;
    let id = made.text("/id")?;
    screen.done("organization Acme")?;
    screen.fact("id", id)?;

    let scopes: Vec<&str> = SCOPES.iter().map(|scope| scope.as_str()).collect();
    let body = json!({ "name": "demo", "scopes": scopes });
    let key = operator.post(&format!("/organizations/{id}/api-keys"), &body).await?;
    let api_key = key.expect(StatusCode::CREATED)?.text("/secret")?.to_owned();
    screen.done("API key of Acme, good for Acme alone; from here on the demo uses this one")?;
    screen.fact("secret", &api_key)?;
    Ok((operator_key, api_key))
}

/// Claims the domain, fails to verify it, sets the record, verifies it. Gives its id and the record's name.
async fn domain(screen: Screen, stage: &Stage, rest: &Rest) -> Result<(String, String), DemoError> {
    screen.chapter(&format!("3  Acme proves that {DOMAIN} is its own"))?;
    let claim = rest.post("/organizations/me/domains", &json!({ "name": DOMAIN })).await?;
    let claim = claim.expect(StatusCode::CREATED)?;
    let (id, name, value) = (
        claim.text("/id")?,
        claim.text("/verification/record_name")?,
        claim.text("/verification/record_value")?,
    );
    screen.done(&format!("{DOMAIN} is claimed; this record would prove it"))?;
    screen.fact("name", name)?;
    screen.fact("type", claim.text("/verification/record_type")?)?;
    screen.fact("value", value)?;

    let verify = format!("/organizations/me/domains/{id}/verify");
    let early = screen.during("asking DNS", rest.post(&verify, &json!({}))).await?;
    if early.status != StatusCode::CONFLICT {
        return Err(early.unexpected("the status 409, because the TXT record is not there yet"));
    }
    screen.refused(&format!("not verified: {}", early.code()))?;
    screen.sentence(&early.reason())?;

    stage.names.set_txt(name, &[value]);
    screen.done("the record is put into DNS")?;
    let verified =
        screen.during("asking DNS", rest.post(&verify, &json!({}))).await?.expect(StatusCode::OK)?;
    if verified.text("/status")? != "verified" {
        return Err(DemoError::unexpected("verifying the domain", "verified", verified.value.to_string()));
    }
    screen.done(&format!("verified: {DOMAIN} belongs to Acme"))?;
    Ok((id.to_owned(), name.to_owned()))
}

/// Connects the identity provider and switches just-in-time provisioning on.
async fn saml(screen: Screen, stage: &Stage, rest: &Rest, domain: &str) -> Result<(), DemoError> {
    screen.chapter("4  Acme connects its identity provider")?;
    let metadata = stage
        .idp
        .metadata()
        .map_err(|error| DemoError::Peer { peer: "identity provider", cause: error.to_string() })?;
    let body =
        json!({ "name": "Acme IdP", "type": "generic", "metadata_xml": metadata, "domain_ids": [domain] });
    let made = rest.post("/organizations/me/saml-connections", &body).await?.expect(StatusCode::CREATED)?;
    let (id, entity_id, acs_url) = (made.text("/id")?, made.text("/entity_id")?, made.text("/acs_url")?);
    screen.done(&format!("SAML connection from the IdP's metadata, serving {DOMAIN}"))?;
    screen.fact("IdP", made.text("/idp_entity_id")?)?;
    screen.fact("our entity id", entity_id)?;
    screen.fact("our ACS", acs_url)?;
    stage.idp.add_service(entity_id, acs_url);
    screen.done("both addresses are made known to the IdP")?;

    let activate = format!("/organizations/me/saml-connections/{id}/activate");
    let active = rest.post(&activate, &json!({ "skip_test": true })).await?.expect(StatusCode::OK)?;
    screen.done(&format!("the connection is {}", active.text("/status")?))?;
    let jit = json!({ "jit_provisioning_enabled": true });
    rest.patch(&format!("/organizations/me/domains/{domain}"), &jit).await?.expect(StatusCode::OK)?;
    screen.done("just-in-time provisioning is on: a first sign-in makes a member")
}

/// Signs somebody in whom Acme does not know yet. Gives the browser that is signed in, and the user's id.
async fn first_sign_in(
    screen: Screen,
    stage: &Stage,
    person: &Employee,
) -> Result<(Browser, String), DemoError> {
    screen.chapter(&format!("5  {} signs in for the first time", person.name()))?;
    let browser = Browser::new()?;
    let signed_in = screen.during("signing in", sign_in(Some(screen), stage, &browser, person)).await?;
    if !signed_in.status.is_success() {
        return Err(signed_in.unexpected("to be signed in"));
    }
    let me = me(stage, &browser).await?;
    if me.status != StatusCode::OK {
        return Err(me.unexpected("the status 200, because somebody is signed in"));
    }
    let me = me.json()?;
    screen.done(&format!(
        "GET /api/v1/me: {}, {} of {}, by {}",
        me.text("/email")?,
        me.text("/role")?,
        me.text("/organization/name")?,
        me.text("/signed_in/method")?
    ))?;
    let user = me.text("/user_id")?.to_owned();
    screen.fact("user", &user)?;
    Ok((browser, user))
}

/// Walks a browser through a sign-in, to whatever page it ends on.
async fn sign_in(
    screen: Option<Screen>,
    stage: &Stage,
    browser: &Browser,
    person: &Employee,
) -> Result<Page, DemoError> {
    let tell = |text: String| screen.map_or(Ok(()), |screen| screen.done(&text));
    let mut login = url::Url::parse(&format!("{}/login", stage.public_url))
        .map_err(|error| DemoError::no_answer("the sign-in page", &error))?;
    login.query_pairs_mut().append_pair("email", &person.email);
    let page = browser.open(login.as_str()).await?;
    let Some(to_idp) = page.redirects.last().filter(|url| url.as_str().starts_with(&stage.idp.sso_url()))
    else {
        return Err(page.unexpected("a redirect to the IdP"));
    };
    tell(format!("GET /login?email={} leads to {}", person.email, shown(to_idp)))?;

    let form = page.form_with("SAMLRequest")?;
    let button = form.buttons.iter().find(|(name, value)| name == "person" && *value == person.id);
    let Some(button) = button else {
        return Err(page.unexpected(&format!("an account for {}", person.name())));
    };
    let answer = browser.submit(&page, &form, Some(button)).await?;
    tell(format!("the IdP's log-in page; {} is chosen", person.name()))?;

    let form = answer.form_with("SAMLResponse")?;
    let end = browser.submit(&answer, &form, None).await?;
    if let Some(cookie) = end.cookies.iter().find(|name| name.contains("session")) {
        tell(format!("the signed response is posted to our ACS, which sets the cookie {cookie}"))?;
    }
    Ok(end)
}

/// Who the gateway takes the browser for.
async fn me(stage: &Stage, browser: &Browser) -> Result<Answer, DemoError> {
    let page = browser.open(&format!("{}/api/v1/me", stage.public_url)).await?;
    Ok(Answer::new("GET /api/v1/me", page.status, page.body()))
}

/// Lets the directory speak for the domain and makes a token for it.
async fn directory(
    screen: Screen,
    rest: &Rest,
    client: &Client,
    domain: &str,
) -> Result<(ScimClient, String, String), DemoError> {
    screen.chapter(&format!("6  {} people arrive over SCIM", thousands(people::EMPLOYEES as u64)))?;
    let on = json!({ "scim_enabled": true });
    rest.patch(&format!("/organizations/me/domains/{domain}"), &on).await?.expect(StatusCode::OK)?;
    screen.done(&format!("SCIM is on for {DOMAIN}"))?;
    let made = rest.post("/organizations/me/scim/tokens", &json!({})).await?.expect(StatusCode::CREATED)?;
    let (base, token) = (made.text("/scim_base_url")?, made.text("/token")?);
    screen.done("SCIM token made")?;
    screen.fact("base URL", base)?;
    screen.fact("token", token)?;
    Ok((ScimClient::new(client, base, token), base.to_owned(), token.to_owned()))
}

/// Pushes everybody: a look-up and a POST for each, several at once.
async fn push(
    screen: Screen,
    rest: &Rest,
    scim: &ScimClient,
    employees: &[Employee],
) -> Result<(), DemoError> {
    let mut progress = screen.progress(employees.len() as u64, "people");
    let mut created = 0;
    let pushed = scim.push_all(employees, |pushed| {
        created += u64::from(pushed.created);
        progress.step()
    });
    pushed.await?;
    let (took, rate) = progress.finish();
    screen.done(&format!(
        "{} people created in {:.1} s: {rate} a second, {} at once, each looked up first",
        thousands(created),
        took.as_secs_f64(),
        scim_client::AT_ONCE
    ))?;
    let members = count_members(rest).await?;
    screen.done(&format!("Acme has {} members now", thousands(members)))
}

async fn count_members(rest: &Rest) -> Result<u64, DemoError> {
    let page = rest.get("/organizations/me/members?limit=1&include_total=true").await?;
    page.expect(StatusCode::OK)?.number("/total")
}

/// The directory takes over who came by herself, and deactivates her: her session dies, and she cannot come back.
async fn leaving(
    screen: Screen,
    stage: &Stage,
    rest: &Rest,
    scim: &ScimClient,
    person: &Employee,
    (browser, user): (&Browser, &str),
) -> Result<(), DemoError> {
    screen.chapter(&format!("7  {} leaves", person.name()))?;
    let before = count_members(rest).await?;
    let id = scim.create(person).await?;
    let after = count_members(rest).await?;
    if after != before {
        let found = format!("{after} members after {before}");
        return Err(DemoError::unexpected("SCIM POST /Users", "the same member, taken over", found));
    }
    screen.done("the directory pushes her too: no second member, the one who came by SAML is adopted")?;
    let me_before = me(stage, browser).await?;
    if me_before.status != StatusCode::OK {
        return Err(me_before.unexpected("the status 200, because the session still lives"));
    }
    screen.done("GET /api/v1/me: 200, her session lives")?;

    let resource = scim.deactivate(&id).await?;
    if resource.value.get("active") != Some(&Value::Bool(false)) {
        return Err(DemoError::unexpected("SCIM PATCH", "active: false", resource.value.to_string()));
    }
    screen.done("SCIM PATCH active=false")?;
    let me_after = me(stage, browser).await?;
    if me_after.status != StatusCode::UNAUTHORIZED {
        return Err(me_after.unexpected("the status 401, because the session is dead"));
    }
    screen.refused(&format!("GET /api/v1/me: 401 {}, her session is dead", me_after.code()))?;
    screen.sentence(&me_after.reason())?;
    let member = rest.get(&format!("/organizations/me/members/{user}")).await?.expect(StatusCode::OK)?;
    screen.done(&format!("the member is {}", status_of(&member)))?;

    let page = screen.during("signing in again", sign_in(None, stage, browser, person)).await?;
    let me_again = me(stage, browser).map_ok(|answer| answer.status).await?;
    if page.status.is_success() || me_again != StatusCode::UNAUTHORIZED {
        return Err(page.unexpected("a refusal, because she was deactivated"));
    }
    screen.refused(&format!("signing in again: {} {}", page.status.as_u16(), page.words_in("h1")))?;
    screen.sentence(&page.words_in("p"))
}

fn status_of(member: &Body) -> String {
    match member.value.get("active") {
        Some(Value::Bool(false)) => "deactivated".to_owned(),
        Some(Value::Bool(true)) => "active".to_owned(),
        _ => member.text("/status").unwrap_or("unknown").to_owned(),
    }
}

/// Shows the newest events, oldest of them first.
async fn events(screen: Screen, rest: &Rest) -> Result<(), DemoError> {
    const SHOWN: usize = 8;
    screen.chapter("8  What Acme's log says of it")?;
    let page = rest.get(&format!("/organizations/me/events?limit={SHOWN}&order_by=-number")).await?;
    let page = page.expect(StatusCode::OK)?;
    for event in page.list("/data")?.iter().rev() {
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let number = event.get("number").and_then(Value::as_u64).unwrap_or_default();
        let (kind, by, subject) = (text("/kind"), text("/actor/kind"), text("/subject"));
        line(&format!("    {number:>5}  {kind:<28} by {by:<16} {subject}"))?;
    }
    Ok(())
}
