//! Enforcement (rule 9): from a time on the people of a domain, or all members, come in through SAML alone. Switching on,
//! its start and grace, each way in that it closes, and the last connection, which stays.

use super::{Person, Tenant, refused};
use crate::support::app::{Answer, INSTALLATION_KEY, TestApp, on_both, text};
use crate::support::people::{member, session_of};
use crate::support::scratch::Scratch;
use postern::model::state::SignInMethod;
use postern::model::time::Clock as _;
use postern::service::guests;
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A tenant whose sessions may idle, with an admin who has signed in through its connection.
async fn proven(app: &TestApp, name: &str, domain: &str) -> (Tenant, Person) {
    let tenant = Tenant::new(app, name, domain).await;
    let idle = json!({ "session_idle_seconds": 2_592_000, "session_lifetime_seconds": 2_592_000 });
    app.patch(&tenant.api("")).operator().json(&idle).send().await.expect(200);
    let email = format!("ada@{domain}");
    member(app, &tenant.org, &email, "admin").await;
    let mut ada = Person::new();
    ada.sign_in(app, &tenant, "s-ada", &email).await.expect(303);
    (tenant, ada)
}

async fn set_domain(app: &TestApp, tenant: &Tenant, change: Value) -> Answer {
    let path = tenant.api(&format!("/domains/{}", tenant.domain_id));
    app.patch(&path).operator().json(&change).send().await
}

async fn set_all(app: &TestApp, tenant: &Tenant, change: Value) -> Answer {
    app.patch(&tenant.api("")).operator().json(&change).send().await
}

/// A session that no SAML made, as a password or an invite would.
async fn other_session(app: &TestApp, tenant: &Tenant, user: &str) -> String {
    session_of(app, &tenant.org, user, SignInMethod::Invite, DAY * 29).await
}

async fn me(app: &TestApp, secret: &str) -> Answer {
    app.get("/api/v1/me").session(secret).send().await
}

/// An invite; gives its secret.
async fn invite(app: &TestApp, tenant: &Tenant, email: &str, role: &str) -> String {
    let body = json!({ "email": email, "role": role });
    let made = app.post(&tenant.api("/invites")).operator().json(&body).send().await.expect(201).json();
    text(&made, "link").split_once('#').expect("a secret").1.to_owned()
}

async fn accept(app: &TestApp, token: &str) -> Answer {
    app.post("/api/v1/invites/accept").json(&json!({ "token": token })).send().await
}

on_both! {
    async fn switching_on_asks_for_a_sign_in_that_went_well(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let on = json!({ "sso_enforcement": "saml" });
        let domain = acme.api(&format!("/domains/{}", acme.domain_id));
        set_domain(&app, &acme, on.clone()).await.problem(409, "admin_sign_in_required");
        set_all(&app, &acme, json!({ "sso_required": true })).await.problem(409, "admin_sign_in_required");
        // An ordinary member's sign-in says nothing of whoever mends it.
        Person::new().sign_in(&app, &acme, "s-jo", "jo@acme.test").await.expect(303);
        set_domain(&app, &acme, on.clone()).await.problem(409, "admin_sign_in_required");
        member(&app, &acme.org, "ada@acme.test", "admin").await;
        set_domain(&app, &acme, on.clone()).await.problem(409, "admin_sign_in_required");
        let mut ada = Person::new();
        ada.sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        // It is a change of trust.
        let weak = app.api_key(&acme.org, &["domain:write", "organization:write"]).await;
        app.patch(&domain).bearer(&weak).json(&on).send().await.problem(403, "scope_missing");
        app.patch(&domain).session(ada.session.as_deref().expect("signed in")).json(&on).send().await.expect(403);
        let all = json!({ "sso_required": true });
        app.patch(&acme.api("")).bearer(&weak).json(&all).send().await.problem(403, "scope_missing");
        // What it cannot be.
        let too_long = json!({ "sso_enforcement": "saml", "sso_enforcement_grace_days": 31 });
        let problem = set_domain(&app, &acme, too_long).await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], "sso_enforcement_grace_days", "{problem}");
        let start = json!({ "sso_enforcement_starts_at": app.clock.now().plus(HOUR) });
        let problem = set_domain(&app, &acme, start).await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], "not_enforced", "{problem}");
        let over = json!({ "sso_required": true, "sso_required_starts_at": app.clock.now().minus(HOUR) });
        let problem = set_all(&app, &acme, over).await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], "in_the_past", "{problem}");
        let shown = app.get(&domain).operator().send().await.expect(200).json();
        assert_eq!((&shown["sso_enforcement"], &shown["sso_enforcement_starts_at"]), (&json!("none"), &Value::Null));
        assert!(acme.events(&app, "sso_enforcement.set").await.is_empty());
        // Now.
        let key = app.api_key(&acme.org, &["domain:write", "trust"]).await;
        let shown = app.patch(&domain).bearer(&key).json(&on).send().await.expect(200);
        let tag = shown.header("etag").expect("a tag").to_owned();
        assert_eq!(shown.json()["sso_enforcement_starts_at"], json!(app.clock.now()));
        let told = acme.events(&app, "sso_enforcement.set").await;
        assert_eq!((told.len(), &told[0]["data"]["domain"]), (1, &json!("acme.test")), "{told:?}");
        assert_eq!((&told[0]["data"]["to"], &told[0]["data"]["grace_days"]), (&json!("owners"), &json!(7)));
        // The same again is nothing new; an older version is none at all.
        set_domain(&app, &acme, on).await.expect(200);
        assert_eq!(acme.events(&app, "sso_enforcement.set").await.len(), 1);
        let off = json!({ "sso_enforcement": "none" });
        app.patch(&domain).operator().header("if-match", "\"1\"").json(&off).send().await.expect(412);
        app.patch(&domain).bearer(&weak).json(&off).send().await.problem(403, "scope_missing");
        let shown = app.patch(&domain).operator().header("if-match", &tag).json(&off).send().await.expect(200).json();
        assert_eq!((&shown["sso_enforcement"], &shown["sso_enforcement_starts_at"]), (&json!("none"), &Value::Null));
        assert_eq!(acme.events(&app, "sso_enforcement.removed").await.len(), 1);
    }

    async fn a_sign_in_of_before_the_connection_was_switched_on_proves_nothing(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
        let switch = async |what: &str| {
            let call = app.post(&format!("{connection}/{what}")).operator();
            call.json(&json!({ "skip_test": true })).send().await.expect(200);
        };
        app.post(&format!("{connection}/deactivate")).operator().send().await.expect(200);
        set_domain(&app, &acme, json!({ "sso_enforcement": "saml" })).await.problem(409, "enforcement_needs_connection");
        set_all(&app, &acme, json!({ "sso_required": true })).await.problem(409, "enforcement_needs_connection");
        app.clock.advance(HOUR);
        switch("activate").await;
        set_domain(&app, &acme, json!({ "sso_enforcement": "saml" })).await.problem(409, "admin_sign_in_required");
        Person::new().sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        set_domain(&app, &acme, json!({ "sso_enforcement": "saml" })).await.expect(200);
        // A claim that nobody proved belongs to nobody yet.
        let claim = app.post(&acme.api("/domains")).operator().json(&json!({ "name": "more.test" })).send().await;
        let path = acme.api(&format!("/domains/{}", claim.expect(201).id()));
        let on = json!({ "sso_enforcement": "saml", "connection_ids": [acme.connection] });
        app.patch(&path).operator().json(&on).send().await.problem(409, "domain_not_verified");
    }

    async fn it_starts_when_it_is_set_to_and_spares_sessions_of_before_for_their_grace(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let jo = member(&app, &acme.org, "jo@acme.test", "member").await;
        let before = other_session(&app, &acme, &jo).await;
        let start = app.clock.now().plus(DAY);
        let on = json!({
            "sso_enforcement": "saml", "sso_enforcement_starts_at": start, "sso_enforcement_grace_days": 3,
        });
        let set = set_domain(&app, &acme, on).await.expect(200).json();
        assert_eq!(set["sso_enforcement_starts_at"], json!(start));
        let told = acme.events(&app, "sso_enforcement.set").await;
        assert_eq!(told[0]["data"]["grace_ends_at"], json!(start.plus(DAY * 3)), "{told:?}");
        app.clock.advance(Duration::from_secs(24 * 3600 - 1));
        let late = other_session(&app, &acme, &jo).await;
        me(&app, &late).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        // It has begun, and nothing had to happen for that.
        me(&app, &before).await.expect(200);
        me(&app, &late).await.expect(200);
        let new = other_session(&app, &acme, &jo).await;
        me(&app, &new).await.problem(401, "sso_required");
        app.clock.advance(Duration::from_secs(3 * 24 * 3600 - 1));
        let mut by_saml = Person::new();
        by_saml.sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        me(&app, &before).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        me(&app, &before).await.problem(401, "sso_required");
        me(&app, &late).await.problem(401, "sso_required");
        by_saml.me(&app).await.expect(200);
        // Put off, it spares them again; off, everybody.
        let later = json!({ "sso_enforcement_starts_at": app.clock.now().plus(HOUR) });
        set_domain(&app, &acme, later).await.expect(200);
        me(&app, &new).await.expect(200);
        let now = json!({ "sso_enforcement_starts_at": null, "sso_enforcement_grace_days": 0 });
        set_domain(&app, &acme, now).await.expect(200);
        me(&app, &before).await.problem(401, "sso_required");
        set_domain(&app, &acme, json!({ "sso_enforcement": "none" })).await.expect(200);
        me(&app, &before).await.expect(200);
    }

    async fn every_other_way_in_is_closed_and_nobody_elses(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let (beta, _) = proven(&app, "Beta", "beta.test").await;
        let key = app.api_key(&acme.org, &["organization:read", "organization_member:read"]).await;
        let scim = app.scim_token(&acme.org).await;
        let jo = member(&app, &acme.org, "jo@acme.test", "admin").await;
        let owner = member(&app, &acme.org, "olga@acme.test", "owner").await;
        let guest = member(&app, &acme.org, "ann@elsewhere.test", "member").await;
        let at_beta = member(&app, &beta.org, "jo@acme.test", "member").await;
        let cookie = other_session(&app, &acme, &jo).await;
        let of_owner = other_session(&app, &acme, &owner).await;
        let of_guest = other_session(&app, &acme, &guest).await;
        let of_beta = other_session(&app, &beta, &at_beta).await;
        let token = app.post("/api/v1/me/access-token").session(&cookie).send().await.expect(200).json();
        let token = text(&token, "access_token").to_owned();
        let key_body = json!({ "name": "mine", "scopes": ["member:read"] });
        let invited = invite(&app, &acme, "new@acme.test", "admin").await;
        let elsewhere = invite(&app, &beta, "new@acme.test", "member").await;
        let on = json!({ "sso_enforcement": "saml", "sso_enforcement_grace_days": 0 });
        set_domain(&app, &acme, on).await.expect(200);
        // A session, whatever it is shown for; what it was traded for; what it would make.
        me(&app, &cookie).await.problem(401, "sso_required");
        app.get("/api/v1/me").bearer(&token).send().await.problem(401, "sso_required");
        app.post("/api/v1/me/access-token").session(&cookie).send().await.problem(401, "sso_required");
        app.post(&acme.api("/api-keys")).session(&cookie).json(&key_body).send().await.problem(401, "sso_required");
        let body = json!({ "email": "x@acme.test" });
        app.post(&acme.api("/invites")).session(&cookie).json(&body).send().await.problem(401, "sso_required");
        let mut browser = Person { session: Some(cookie.clone()), ..Person::default() };
        let page = browser.get(&app, "/signed-in").await;
        assert_eq!((page.status, page.header("location")), (303, Some("/login")));
        // An invite's link.
        let problem = accept(&app, &invited).await.problem(403, "sso_required");
        assert!(text(&problem, "detail").contains("the invite is honored there"), "{problem}");
        // An owner's first link, by a session that is none any more.
        let mut olga = Person { session: Some(of_owner.clone()), ..Person::default() };
        let begun = olga.begin_here(&app, "olga@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s-olga", "olga@acme.test"));
        refused(&olga.post(&app, &acme, &response).await, "owner_link_refused");
        // SAML stays, and takes the invite up.
        let mut new = Person::new();
        new.sign_in(&app, &acme, "s-new", "new@acme.test").await.expect(303);
        assert_eq!(acme.member(&app, "new@acme.test").await["role"], "admin");
        new.me(&app).await.expect(200);
        Person::new().sign_in(&app, &acme, "s-jo", "jo@acme.test").await.expect(303);
        // Other domains, other organizations, keys and directories are not meant.
        me(&app, &of_guest).await.expect(200);
        me(&app, &of_beta).await.expect(401); // Her first link ended all sessions of hers (rule 7).
        accept(&app, &elsewhere).await.expect(200);
        app.get(&acme.api("")).bearer(&key).send().await.expect(200);
        app.get("/scim/v2/Users").bearer(&scim).send().await.expect(200);
        app.get(&acme.api("/members")).operator().send().await.expect(200);
    }

    async fn what_is_required_of_all_members_leaves_other_tenants_alone(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let (beta, _) = proven(&app, "Beta", "beta.test").await;
        let ann = member(&app, &acme.org, "ann@elsewhere.test", "member").await;
        let at_beta = member(&app, &beta.org, "ann@elsewhere.test", "member").await;
        let (here, there) = (other_session(&app, &acme, &ann).await, other_session(&app, &beta, &at_beta).await);
        let invited = invite(&app, &acme, "bob@elsewhere.test", "member").await;
        let invited_there = invite(&app, &beta, "bob@elsewhere.test", "member").await;
        app.clock.advance(Duration::from_secs(1));
        let set = json!({ "sso_required": true, "sso_required_grace_days": 1 });
        let shown = set_all(&app, &acme, set).await.expect(200).json();
        assert_eq!((&shown["sso_required"], &shown["sso_required_grace_days"]), (&json!(true), &json!(1)));
        me(&app, &here).await.expect(200);
        app.clock.advance(DAY);
        me(&app, &here).await.problem(401, "sso_required");
        me(&app, &there).await.expect(200);
        let problem = accept(&app, &invited).await.problem(403, "sso_required");
        assert!(text(&problem, "detail").contains("approve you as a guest"), "{problem}");
        accept(&app, &invited_there).await.expect(200);
        let mut ada = Person::new();
        ada.sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        ada.me(&app).await.expect(200);
        let told = acme.events(&app, "sso_enforcement.set").await;
        assert_eq!((&told[0]["data"]["domain"], &told[0]["subject"]), (&Value::Null, &json!(acme.org)), "{told:?}");
        set_all(&app, &acme, json!({ "sso_required": false })).await.expect(200);
        me(&app, &here).await.expect(200);
        assert_eq!(acme.events(&app, "sso_enforcement.removed").await.len(), 1);
    }

    async fn the_last_connection_stays(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let domain = acme.api(&format!("/domains/{}", acme.domain_id));
        let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
        let off = async |path: &str| app.post(&format!("{path}/deactivate")).operator().send().await;
        let without = json!({ "connection_ids": [] });
        let nothing = json!({ "domain_ids": [] });
        // A start that lies ahead counts as well.
        let ahead = app.clock.now().plus(DAY);
        let on = json!({ "sso_enforcement": "saml", "sso_enforcement_starts_at": ahead });
        for set in [on, json!({ "sso_enforcement": "none" })] {
            let enforced = set["sso_enforcement"] == "saml";
            set_domain(&app, &acme, set).await.expect(200);
            set_all(&app, &acme, json!({ "sso_required": !enforced })).await.expect(200);
            off(&connection).await.problem(409, "last_enforced_connection");
            set_domain(&app, &acme, without.clone()).await.problem(409, "last_enforced_connection");
            let call = app.patch(&connection).operator().json(&nothing).send().await;
            call.problem(409, "last_enforced_connection");
            let code = if enforced { "domain_enforced" } else { "last_enforced_connection" };
            app.delete(&domain).operator().send().await.problem(409, code);
        }
        let shown = app.get(&connection).operator().send().await.expect(200).json();
        assert_eq!(shown["status"], "active");
        // Another one takes over, and the first may go.
        set_domain(&app, &acme, json!({ "sso_enforcement": "saml" })).await.expect(200);
        let (org, id) = (acme.org.clone(), acme.domain_id.clone());
        let second = Tenant::connect(&app, org, "acme.test", id).await;
        off(&connection).await.expect(200);
        app.delete(&connection).operator().send().await.expect(204);
        let second = acme.api(&format!("/saml-connections/{}", second.connection));
        off(&second).await.problem(409, "last_enforced_connection");
        set_domain(&app, &acme, json!({ "sso_enforcement": "none" })).await.expect(200);
        off(&second).await.problem(409, "last_enforced_connection");
        set_all(&app, &acme, json!({ "sso_required": false })).await.expect(200);
        off(&second).await.expect(200);
        app.delete(&domain).operator().send().await.expect(204);
    }

    async fn a_preview_tells_who_is_affected(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let (beta, _) = proven(&app, "Beta", "beta.test").await;
        let key = app.api_key(&acme.org, &["organization_member:read"]).await;
        let more = app.domain(&acme.org, "more.test").await;
        for (email, role) in [
            ("jo@acme.test", "member"), ("olga@acme.test", "owner"), ("mo@more.test", "member"),
            ("ann@elsewhere.test", "member"), ("bob@elsewhere.test", "admin"), ("gus@elsewhere.test", "member"),
        ] {
            let user = member(&app, &acme.org, email, role).await;
            other_session(&app, &acme, &user).await;
        }
        member(&app, &beta.org, "zoe@acme.test", "member").await;
        let guest = json!({ "email": "gus@elsewhere.test", "ends_at": app.clock.now().plus(DAY) });
        app.post(&acme.api("/guests")).operator().json(&guest).send().await.expect(201);
        let preview = async |domain: &str| {
            let query: &[(&str, &str)] = if domain.is_empty() { &[] } else { &[("domain_id", domain)] };
            let call = app.get(&acme.api("/sso-enforcement/preview")).bearer(&key).query(query);
            call.send().await.expect(200).json()
        };
        let all = preview("").await;
        let members = json!({ "linked": 1, "unlinked": 2, "guests": 1, "shut_out": 3 });
        assert_eq!(all["members"], members, "{all}");
        assert_eq!((&all["owners_without_link"], &all["sessions_ending"]), (&json!(1), &json!(5)), "{all}");
        assert_eq!((&all["ready"], &all["sign_in_proven"], &all["hindrance"]), (&json!(true), &json!(true), &Value::Null));
        assert_eq!(all["api_keys_kept"], 1);
        let one = preview(&acme.domain_id).await;
        assert_eq!(one["members"], json!({ "linked": 1, "unlinked": 2, "guests": 0, "shut_out": 0 }), "{one}");
        let other = preview(&more).await;
        assert_eq!(other["members"], json!({ "linked": 0, "unlinked": 0, "guests": 0, "shut_out": 1 }), "{other}");
        assert_eq!(other["hindrance"]["code"], "enforcement_needs_connection", "{other}");
        // An admin whose session SAML did not make: the preview says so before the refusal does.
        let ivy = member(&app, &acme.org, "ivy@acme.test", "admin").await;
        let ivy = other_session(&app, &acme, &ivy).await;
        let call = app.get(&acme.api("/sso-enforcement/preview")).session(&ivy).send().await.expect(200).json();
        assert_eq!(call["hindrance"]["code"], "own_sign_in_required", "{call}");
        let mut ada = Person::new();
        ada.sign_in(&app, &acme, "s-ada", "ada@acme.test").await.expect(303);
        let secret = ada.session.clone().expect("signed in");
        let call = app.get(&acme.api("/sso-enforcement/preview")).session(&secret).send().await.expect(200).json();
        assert_eq!((&call["ready"], &call["sign_in_proven"]), (&json!(true), &json!(true)), "{call}");
        // Who they are, page by page.
        let list = async |query: &[(&str, &str)]| {
            let call = app.get(&acme.api("/sso-enforcement/members")).bearer(&key).query(query);
            call.send().await.expect(200).json()
        };
        let page = list(&[("standing", "shut_out"), ("limit", "2"), ("include_total", "true")]).await;
        assert_eq!((page["data"].as_array().expect("rows").len(), &page["total"]), (2, &json!(3)), "{page}");
        let rest = list(&[("standing", "shut_out"), ("limit", "2"), ("cursor", text(&page, "next_cursor"))]).await;
        assert_eq!(rest["data"].as_array().expect("rows").len(), 1, "{rest}");
        let mut emails: Vec<String> = [&page, &rest]
            .iter()
            .flat_map(|page| page["data"].as_array().expect("rows"))
            .map(|row| text(row, "email").to_owned())
            .collect();
        emails.sort();
        assert_eq!(emails, ["ann@elsewhere.test", "bob@elsewhere.test", "mo@more.test"]);
        let linked = list(&[("standing", "linked"), ("domain_id", &acme.domain_id)]).await;
        assert_eq!(linked["data"][0]["email"], "ada@acme.test", "{linked}");
        // Another organization's domain is not there.
        let foreign = app.get(&acme.api("/sso-enforcement/preview")).query(&[("domain_id", &beta.domain_id)]);
        foreign.bearer(&key).send().await.problem(404, "not_found");
    }

    async fn a_guest_stays_until_the_approved_day(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let ann = member(&app, &acme.org, "ann@elsewhere.test", "member").await;
        let bob = member(&app, &acme.org, "bob@elsewhere.test", "member").await;
        member(&app, &acme.org, "eve@elsewhere.test", "admin").await;
        let of_ann = other_session(&app, &acme, &ann).await;
        let of_bob = other_session(&app, &acme, &bob).await;
        let invited = invite(&app, &acme, "new@elsewhere.test", "member").await;
        let as_admin = invite(&app, &acme, "chief@elsewhere.test", "admin").await;
        set_all(&app, &acme, json!({ "sso_required": true, "sso_required_grace_days": 0 })).await.expect(200);
        me(&app, &of_ann).await.problem(401, "sso_required");
        let guests = acme.api("/guests");
        let approve = async |email: &str, days: u32| {
            let body = json!({ "email": email, "ends_at": app.clock.now().plus(DAY * days), "note": "Audit" });
            app.post(&guests).operator().json(&body).send().await
        };
        approve("ann@acme.test", 1).await.problem(409, "guest_on_own_domain");
        approve("eve@elsewhere.test", 1).await.problem(409, "guest_role");
        for days in [0, 91] {
            let problem = approve("ann@elsewhere.test", days).await.problem(400, "invalid_request");
            assert_eq!(problem["errors"][0]["field"], "ends_at", "{problem}");
        }
        // Ninety days from now on, and not a moment more.
        let made = approve("ann@elsewhere.test", 90).await.expect(201).json();
        assert_eq!((&made["status"], &made["note"]), (&json!("active"), &json!("Audit")), "{made}");
        approve("ann@elsewhere.test", 1).await.problem(409, "guest_approved");
        me(&app, &of_ann).await.expect(200);
        me(&app, &of_bob).await.problem(401, "sso_required");
        // An invite may be accepted; not as an admin.
        accept(&app, &invited).await.problem(403, "sso_required");
        approve("new@elsewhere.test", 5).await.expect(201);
        accept(&app, &invited).await.expect(200);
        approve("chief@elsewhere.test", 5).await.expect(201);
        accept(&app, &as_admin).await.problem(403, "sso_required");
        // A guest who becomes an admin is none.
        let path = acme.api(&format!("/members/{ann}"));
        let role = async |role: &str| {
            app.patch(&path).operator().json(&json!({ "role": role })).send().await.expect(200);
        };
        role("admin").await;
        me(&app, &of_ann).await.problem(401, "sso_required");
        role("member").await;
        me(&app, &of_ann).await.expect(200);
        // Renewed by whoever may; ended by its day.
        let one = format!("{guests}/{}", text(&made, "id"));
        let sooner = json!({ "ends_at": app.clock.now().plus(DAY) });
        let weak = app.api_key(&acme.org, &["organization_member:write"]).await;
        app.patch(&one).bearer(&weak).json(&sooner).send().await.problem(403, "scope_missing");
        app.patch(&one).operator().header("if-match", "\"9\"").json(&sooner).send().await.expect(412);
        app.patch(&one).operator().json(&sooner).send().await.expect(200);
        app.clock.advance(DAY);
        me(&app, &of_ann).await.problem(401, "sso_required");
        let shown = app.get(&one).operator().send().await.expect(200).json();
        assert_eq!(shown["status"], "ended", "{shown}");
        app.patch(&one).operator().json(&json!({ "ends_at": app.clock.now().plus(DAY) })).send().await.problem(409, "guest_ended");
        assert_eq!(guests::tell_ended(app.services()).await.expect("told"), 1);
        assert_eq!(guests::tell_ended(app.services()).await.expect("told"), 0);
        let ended = acme.events(&app, "guest.ended").await;
        assert_eq!((ended.len(), &ended[0]["data"]["because"]), (1, &json!("over")), "{ended:?}");
        approve("ann@elsewhere.test", 2).await.expect(201);
        me(&app, &of_ann).await.expect(200);
        // Ended by hand, and with the access.
        let list = app.get(&guests).operator().query(&[("status", "active")]).send().await.expect(200).json();
        let rows = list["data"].as_array().expect("rows");
        assert_eq!(rows.len(), 3, "{list}");
        let of = |email: &str| rows.iter().find(|row| row["email"] == email).expect("a guest").clone();
        let newest = of("ann@elsewhere.test");
        app.delete(&format!("{guests}/{}", text(&newest, "id"))).bearer(&weak).send().await.expect(204);
        me(&app, &of_ann).await.problem(401, "sso_required");
        let new = acme.member(&app, "new@elsewhere.test").await;
        let off = json!({ "active": false });
        let path = acme.api(&format!("/members/{}", text(&new, "user_id")));
        app.patch(&path).operator().json(&off).send().await.expect(200);
        let because: Vec<Value> =
            acme.events(&app, "guest.ended").await.iter().map(|event| event["data"]["because"].clone()).collect();
        assert_eq!(because, ["over", "ended", "deprovisioned"]);
        assert_eq!(acme.events(&app, "guest.approved").await.len(), 4);
        assert_eq!(acme.events(&app, "guest.renewed").await.len(), 1);
    }

    async fn the_operator_lifts_it_on_the_command_line(app: TestApp) {
        let (acme, _) = proven(&app, "Acme", "acme.test").await;
        let (beta, _) = proven(&app, "Beta", "beta.test").await;
        let jo = member(&app, &acme.org, "jo@acme.test", "member").await;
        let owner = member(&app, &acme.org, "olga@acme.test", "owner").await;
        let session = other_session(&app, &acme, &jo).await;
        for tenant in [&acme, &beta] {
            set_domain(&app, tenant, json!({ "sso_enforcement": "saml", "sso_enforcement_grace_days": 0 })).await.expect(200);
            set_all(&app, tenant, json!({ "sso_required": true, "sso_required_grace_days": 0 })).await.expect(200);
        }
        me(&app, &session).await.problem(401, "sso_required");
        let folder = Scratch::new("lift");
        let lift = |organization: &str, reason: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postern"));
            command.args(["sso", "lift", "--organization", organization, "--reason", reason, "--by", "Pat (support)"]);
            command.env_clear().current_dir(folder.path());
            command.env("POSTERN_DATABASE__URL", app.database_url());
            command.env("POSTERN_SECURITY__INSTALLATION_KEY", INSTALLATION_KEY);
            let output = command.output().expect("the binary");
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let (code, _, err) = lift("org_01h455vb4pex5vsknk084sn02q", "Their IdP is gone.");
        assert_eq!(code, Some(7), "{err}");
        let (code, _, err) = lift(&acme.org, " ");
        assert!(code == Some(1) && err.contains("reason"), "{err}");
        let (code, out, err) = lift(&acme.org, "Their IdP is gone.");
        assert!(code == Some(0) && out.contains("Acme") && out.contains("acme.test"), "{out}{err}");
        // What another process changes is seen within a second.
        for _ in 0..200 {
            if me(&app, &session).await.status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        me(&app, &session).await.expect(200);
        let shown = app.get(&acme.api("")).operator().send().await.expect(200).json();
        assert_eq!(shown["sso_required"], false);
        let told = acme.events(&app, "sso_enforcement.lifted").await;
        let data = &told[0]["data"];
        assert_eq!((&data["by"], &data["reason"]), (&json!("Pat (support)"), &json!("Their IdP is gone.")), "{told:?}");
        assert_eq!((&data["owners"], &data["domains"], &data["organization"]), (&json!([owner]), &json!(["acme.test"]), &json!(true)));
        let (code, out, _) = lift(&acme.org, "Again.");
        assert!(code == Some(0) && out.contains("Nothing is enforced"), "{out}");
        assert_eq!(acme.events(&app, "sso_enforcement.lifted").await.len(), 1);
        let shown = app.get(&beta.api("")).operator().send().await.expect(200).json();
        assert_eq!(shown["sso_required"], true, "another organization's stays");
    }
}
