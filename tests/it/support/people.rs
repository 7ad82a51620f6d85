//! People for tests of the REST API: members added by the operator, and sessions made without an IdP.

use postern::model::email::EmailAddress;
use postern::model::id::{DirectoryUserId, OrganizationId, SessionId, UserId};
use postern::model::secret::{Token, TokenKind};
use postern::model::state::{SignInMethod, Source};
use postern::model::tenant::TenantScope;
use postern::service::{Ctx, access};
use postern::store;
use postern::store::directory_users::DirectoryUser;
use postern::store::members::Member;
use postern::store::sessions::Session;
use serde_json::json;
use std::time::Duration;

use super::app::{TestApp, text};

/// The path of an organization's members.
pub fn members(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/members")
}

/// A member added by the operator; gives the user's id.
pub async fn member(app: &TestApp, organization: &str, email: &str, role: &str) -> String {
    let body = json!({ "email": email, "role": role });
    let made = app.post(&members(organization)).operator().json(&body).send().await.expect(201).json();
    text(&made, "user_id").to_owned()
}

/// A session of the member for ten hours; gives the cookie's value.
pub async fn session(app: &TestApp, organization: &str, user: &str) -> String {
    session_of(app, organization, user, SignInMethod::Saml, Duration::from_hours(10)).await
}

/// A session that no connection made.
pub async fn session_of(
    app: &TestApp,
    organization: &str,
    user: &str,
    method: SignInMethod,
    lifetime: Duration,
) -> String {
    let services = app.services();
    let token = Token::generate(TokenKind::Session, &*services.random);
    let now = services.clock.now();
    let row = Session {
        id: SessionId::new(now, &*services.random),
        organization_id: id(organization),
        user_id: user.parse().expect("a user's id"),
        hash: token.hash(),
        method,
        connection_id: None,
        name_id: None,
        session_index: None,
        authn_context: Some("urn:oasis:names:tc:SAML:2.0:ac:classes:Password".to_owned()),
        authn_at: now,
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(lifetime),
        ended_at: None,
        stepped_up_at: None,
        name_id_attributes: None,
        name_id_key: None,
    };
    let tx = services.begin().await.expect("a transaction");
    store::sessions::insert(&tx, row).await.expect("a session");
    tx.commit().await.expect("a commit");
    token.reveal().to_owned()
}

/// A member who is signed in: the user's id and the cookie's value.
pub async fn signed_in(app: &TestApp, organization: &str, email: &str, role: &str) -> (String, String) {
    let user = member(app, organization, email, role).await;
    let session = session(app, organization, &user).await;
    (user, session)
}

/// An organization's id from its shown form.
pub fn id(organization: &str) -> OrganizationId {
    organization.parse().expect("an organization's id")
}

/// The row of a member, whatever its status.
pub async fn row(app: &TestApp, organization: &str, user: &str) -> Option<Member> {
    let scope = TenantScope::established(id(organization));
    let user: UserId = user.parse().expect("a user's id");
    store::members::find(&app.services().db, scope, user).await.expect("a read")
}

/// Ends a member's access as the directory would, by deactivating or removing.
pub async fn ended_by_directory(app: &TestApp, organization: &str, user: &str, remove: bool) {
    let services = app.services();
    let ctx = Ctx::system(services.clock.now());
    let scope = TenantScope::established(id(organization));
    let user = user.parse().expect("a user's id");
    let tx = services.begin().await.expect("a transaction");
    access::end(services, &tx, &ctx, scope, user, Source::Scim, remove).await.expect("an end");
    tx.commit().await.expect("a commit");
}

/// A directory user that stands for the member.
pub async fn directory_user(app: &TestApp, organization: &str, user: &str, email: &str) {
    let services = app.services();
    let now = services.clock.now();
    let scope = TenantScope::established(id(organization));
    let directory =
        store::directories::find(&services.db, scope).await.expect("a read").expect("a directory");
    let row = DirectoryUser {
        id: DirectoryUserId::new(now, &*services.random),
        organization_id: id(organization),
        directory_id: directory.id,
        user_name: email.to_owned(),
        user_name_key: email.to_lowercase(),
        external_id: None,
        active: true,
        address: Some(EmailAddress::parse(email).expect("an address")),
        user_id: Some(user.parse().expect("a user's id")),
        given_name: None,
        family_name: None,
        display_name: None,
        email_key: None,
        more_emails: false,
        asserted_role: None,
        attributes: json!({}),
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let tx = services.begin().await.expect("a transaction");
    store::directory_users::insert(&tx, row).await.expect("a directory user");
    tx.commit().await.expect("a commit");
}

/// The kinds of the organization's events, oldest first.
pub async fn event_kinds(app: &TestApp, organization: &str) -> Vec<String> {
    let path = format!("/api/v1/organizations/{organization}/events?limit=200");
    let page = app.get(&path).operator().send().await.expect(200).json();
    let rows = page["data"].as_array().expect("rows").clone();
    rows.iter().map(|row| text(row, "kind").to_owned()).collect()
}
