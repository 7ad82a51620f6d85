//! Who an assertion stands for: links, addresses, leavers, invites, owners (rules 6 to 8, 10a, 11).

use super::{Person, Tenant, refused};
use crate::support::app::{TestApp, on_both, text};
use crate::support::people::session_of;
use postern::model::state::SignInMethod;
use serde_json::{Value, json};
use std::time::Duration;

async fn add(app: &TestApp, tenant: &Tenant, email: &str, role: &str) -> String {
    let body = json!({ "email": email, "role": role });
    let made = app.post(&tenant.api("/members")).operator().json(&body).send().await.expect(201).json();
    text(&made, "user_id").to_owned()
}

async fn set(app: &TestApp, tenant: &Tenant, path: &str, change: Value) {
    app.patch(&tenant.api(path)).operator().json(&change).send().await.expect(200);
}

/// A session that nobody's IdP made, as another way of signing in would.
async fn session(app: &TestApp, org: &str, user: &str) -> Person {
    let secret = session_of(app, org, user, SignInMethod::Invite, Duration::from_hours(10)).await;
    Person { session: Some(secret), binding: None, way: None }
}

on_both! {
    async fn a_member_is_linked_by_the_address_once_and_loses_what_came_before(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let beta = Tenant::new(&app, "Beta", "beta.test").await;
        let jo = add(&app, &acme, "jo@acme.test", "admin").await;
        assert_eq!(add(&app, &beta, "jo@acme.test", "member").await, jo);
        // Somebody else may have made these with the address.
        let squatters = [session(&app, &acme.org, &jo).await, session(&app, &beta.org, &jo).await];
        for squatter in &squatters {
            squatter.me(&app).await.expect(200);
        }
        let mut browser = Person::new();
        browser.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        assert_eq!(browser.me(&app).await.expect(200).json()["role"], "admin");
        for squatter in &squatters {
            squatter.me(&app).await.expect(401);
        }
        let linked = acme.events(&app, "member.linked").await;
        assert_eq!((linked.len(), &linked[0]["data"]["sessions_ended"]), (1, &json!(2)), "{linked:?}");

        // A second sign-in is no first link.
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        browser.me(&app).await.expect(200);
        // Another subject with the same address is somebody else until an admin says otherwise.
        let answer = Person::new().sign_in(&app, &acme, "s-2", "jo@acme.test").await;
        refused(&answer, "link_pending");
        browser.me(&app).await.expect(200);
    }

    async fn a_changed_address_is_taken_over_inside_the_verified_domains(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        Person::new().sign_in(&app, &acme, "s-jo", "jo@acme.test").await.expect(303);
        Person::new().sign_in(&app, &acme, "s-al", "al@acme.test").await.expect(303);
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s-jo", "joanna@acme.test").await.expect(303);
        assert_eq!(jo.me(&app).await.expect(200).json()["email"], "joanna@acme.test");
        assert_eq!(acme.members(&app).await, 2);
        // Never onto another person's address: the old one stays, and it is on record.
        jo.sign_in(&app, &acme, "s-jo", "al@acme.test").await.expect(303);
        assert_eq!(jo.me(&app).await.expect(200).json()["email"], "joanna@acme.test");
        let last = acme.events(&app, "sign_in.succeeded").await.pop().expect("there");
        assert!(text(&last["data"], "note").contains("belongs to somebody else"), "{last}");
        // And never to a domain that the connection does not speak for.
        let begun = jo.begin(&app, "joanna@acme.test").await;
        let response = acme.sign(&acme.response(&app, &begun, "s-jo", "jo@elsewhere.test"));
        refused(&jo.post(&app, &acme, &response).await, "foreign_domain");
    }

    async fn an_address_is_a_key_only_for_who_has_it_now(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let by_address = async |email: &str| {
            let mut browser = Person::new();
            let begun = browser.begin(&app, email).await;
            let response = acme.sign(&acme.response_by_address(&app, &begun, email));
            (browser.post(&app, &acme, &response).await, browser)
        };
        by_address("Jo@acme.test").await.0.expect(303);
        by_address("jo@ACME.test").await.0.expect(303);
        assert_eq!(acme.members(&app).await, 1);
        // The IdP begins to send a lasting subject: the same person, now by that.
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        assert_eq!(acme.members(&app).await, 1);
        // Back to the address alone would be a weaker proof than the link.
        refused(&by_address("jo@acme.test").await.0, "link_pending");
        // The person is renamed, and somebody new gets the old address: a person of their own.
        Person::new().sign_in(&app, &acme, "s-1", "joanna@acme.test").await.expect(303);
        by_address("jo@acme.test").await.0.expect(303);
        assert_eq!(acme.members(&app).await, 2);
        // A leaver's address does not come back to life by itself.
        let (_, browser) = by_address("al@acme.test").await;
        let al = text(&acme.member(&app, "al@acme.test").await, "user_id").to_owned();
        app.delete(&acme.api(&format!("/members/{al}"))).operator().send().await.expect(204);
        browser.me(&app).await.expect(401);
        refused(&by_address("al@acme.test").await.0, "deprovisioned");
    }

    async fn leavers_stay_out(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        let user = text(&acme.member(&app, "jo@acme.test").await, "user_id").to_owned();
        let path = format!("/members/{user}");
        set(&app, &acme, &path, json!({ "active": false })).await;
        jo.me(&app).await.expect(401);
        refused(&jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await, "deprovisioned");
        set(&app, &acme, &path, json!({ "active": true })).await;
        jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        // Renamed, then removed: the tombstone holds for the contact address too, whatever the subject.
        app.delete(&acme.api(&path)).operator().send().await.expect(204);
        jo.me(&app).await.expect(401);
        for subject in ["s-1", "s-new"] {
            refused(&Person::new().sign_in(&app, &acme, subject, "jo@acme.test").await, "deprovisioned");
        }
        assert_eq!(acme.members(&app).await, 0);
    }

    async fn who_leaves_the_directory_cannot_sign_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        set(&app, &acme, &format!("/domains/{}", acme.domain_id), json!({ "scim_enabled": true })).await;
        let token = app.scim_token(&acme.org).await;
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "jo@acme.test", "active": true,
        });
        let made = app.post("/scim/v2/Users").bearer(&token).scim(&user).send().await.expect(201).json();
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        assert_eq!(acme.members(&app).await, 1, "the one that the directory made");
        let off = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": false }],
        });
        let path = format!("/scim/v2/Users/{}", text(&made, "id"));
        app.patch(&path).bearer(&token).scim(&off).send().await.expect(200);
        jo.me(&app).await.expect(401);
        refused(&jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await, "deprovisioned");
    }

    async fn nobody_is_made_where_that_is_off(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let domain = format!("/domains/{}", acme.domain_id);
        set(&app, &acme, &domain, json!({ "jit_provisioning_enabled": false })).await;
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "jit_off");
        set(&app, &acme, &domain, json!({ "jit_provisioning_enabled": true })).await;
        for mode in ["manual", "scim"] {
            set(&app, &acme, "", json!({ "provisioning_mode": mode })).await;
            refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "jit_off");
        }
        assert_eq!(acme.members(&app).await, 0);

        // An invite counts all the same, with its role, once and in time.
        let body = json!({ "email": "jo@acme.test", "role": "admin" });
        let invite = app.post(&acme.api("/invites")).operator().json(&body).send().await.expect(201).id();
        let mut jo = Person::new();
        jo.sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
        assert_eq!(jo.me(&app).await.expect(200).json()["role"], "admin");
        let invite = app.get(&acme.api(&format!("/invites/{invite}"))).operator().send().await.expect(200).json();
        assert_eq!(invite["status"], "accepted", "{invite}");
        let late = json!({ "email": "al@acme.test" });
        app.post(&acme.api("/invites")).operator().json(&late).send().await.expect(201);
        app.clock.advance(Duration::from_hours(24 * 8));
        refused(&Person::new().sign_in(&app, &acme, "s-2", "al@acme.test").await, "jit_off");
    }

    async fn an_organization_can_refuse_to_link_by_the_address(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        add(&app, &acme, "jo@acme.test", "member").await;
        set(&app, &acme, "", json!({ "first_link": "off" })).await;
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "first_link_off");
        Person::new().sign_in(&app, &acme, "s-2", "new@acme.test").await.expect(303);
        set(&app, &acme, "", json!({ "first_link": "address" })).await;
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
    }

    async fn an_owner_is_linked_by_that_owner_only(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.test").await;
        let jo = add(&app, &acme, "jo@acme.test", "owner").await;
        let al = add(&app, &acme, "al@acme.test", "admin").await;
        // The IdP's word alone does not do, nor somebody else's session.
        refused(&Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await, "owner_link_refused");
        for (who, here) in [(&al, true), (&jo, false)] {
            let mut browser = session(&app, &acme.org, who).await;
            // A link that somebody sent to the owner is not the owner's own doing.
            let begun = if here { browser.begin_here(&app, "jo@acme.test").await } else { browser.begin(&app, "jo@acme.test").await };
            let response = acme.sign(&acme.response(&app, &begun, "s-1", "jo@acme.test"));
            refused(&browser.post(&app, &acme, &response).await, "owner_link_refused");
        }
        let mut owner = session(&app, &acme.org, &jo).await;
        let begun = owner.begin_here(&app, "jo@acme.test").await;
        // As in a browser under https, where the lax cookie stays away from the IdP's post.
        let before = owner.session.take().expect("signed in");
        let response = acme.sign(&acme.response(&app, &begun, "s-1", "jo@acme.test"));
        owner.post(&app, &acme, &response).await.expect(303);
        assert_eq!(owner.me(&app).await.expect(200).json()["role"], "owner");
        Person { session: Some(before), binding: None, way: None }.me(&app).await.expect(401);
        Person::new().sign_in(&app, &acme, "s-1", "jo@acme.test").await.expect(303);
    }
}
