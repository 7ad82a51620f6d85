//! The rules of provisioning: whose people an IdP may push, who is adopted, and that deprovisioning wins.

use std::time::Duration;

use postern::model::id::{OrganizationId, SessionId, UserId};
use postern::model::secret::{Token, TokenKind};
use postern::model::state::SignInMethod;
use postern::store;
use serde_json::json;

use super::{Tenant, user};
use crate::support::app::{TestApp, on_both, text};

/// A session, as a sign-in would make it; gives the cookie.
async fn session(app: &TestApp, org: &str, user: &str) -> String {
    let services = app.services();
    let now = services.clock.now();
    let secret = Token::generate(TokenKind::Session, &*services.random);
    let row = store::sessions::Session {
        id: SessionId::new(now, &*services.random),
        organization_id: org.parse::<OrganizationId>().expect("an id"),
        user_id: user.parse::<UserId>().expect("an id"),
        hash: secret.hash(),
        method: SignInMethod::Saml,
        connection_id: None,
        name_id: None,
        session_index: None,
        authn_context: None,
        authn_at: now,
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        ended_at: None,
        stepped_up_at: None,
        name_id_attributes: None,
        name_id_key: None,
    };
    let tx = services.begin().await.expect("a transaction");
    store::sessions::insert(&tx, row).await.expect("inserted");
    tx.commit().await.expect("committed");
    secret.reveal().to_owned()
}

on_both! {
    async fn only_people_on_the_directorys_domains_are_let_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        Tenant::new(&app, "Other", "other.com").await;
        for name in ["jo@other.com", "jo@evil.acme.com", "jo@acme.com.evil.com", "jdoe", "jo@acme.com@evil.com"] {
            let mut body = user(name);
            body["emails"] = json!([{ "value": name }]);
            let error = acme.post(&body).send().await.scim_error(400, Some("invalidValue"));
            assert!(text(&error, "detail").contains("acme.com"), "names what is allowed: {error}");
        }
        // The address is the userName where that is one, whatever the e-mails say.
        let mut body = user("jo@other.com");
        body["emails"][0]["value"] = json!("jo@acme.com");
        acme.post(&body).send().await.scim_error(400, Some("invalidValue"));
        // Else the primary, else the work e-mail; never another.
        let mut body = user("jdoe");
        body["emails"] = json!([{ "value": "jdoe@acme.com", "type": "home" }]);
        acme.post(&body).send().await.scim_error(400, Some("invalidValue"));
        body["emails"] = json!([{ "value": "x@home.org", "type": "home" }, { "value": "JDoe@acme.com", "type": "work" }]);
        acme.post(&body).send().await.expect(201);
        assert!(acme.member("jdoe@acme.com").await.is_some());

        let id = acme.user("kim@acme.com").await;
        for (path, value) in [("userName", "kim@other.com"), ("userName", "kim")] {
            let operations = json!([{ "op": "replace", "path": path, "value": value },
                { "op": "replace", "path": "emails", "value": [{ "value": "kim@other.com", "primary": true }] }]);
            acme.patch(&id, &operations).send().await.scim_error(400, Some("invalidValue"));
        }
        acme.put(&id, &user("kim@other.com")).send().await.scim_error(400, Some("invalidValue"));
        assert_eq!(acme.rest("members/count").await["count"], 2);
    }

    async fn whoever_meant_an_address_is_told_what_is_wrong_with_it(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        for (name, reason) in [
            ("o\u{2019}neil@acme.com", "outside ASCII"),
            ("jo@acme.com.", "a domain name with a dot"),
            ("jo", "e-mail address, and this directory"),
        ] {
            let refused = acme.post(&json!({ "userName": name })).send().await.scim_error(400, Some("invalidValue"));
            let detail = text(&refused, "detail");
            assert!(detail.contains(reason) && detail.contains("Allowed domains: acme.com."), "{detail}");
        }
    }

    async fn others_are_held_where_the_directory_says_so(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let held = acme.post(&user("guest@other.com")).send().await.expect(201).id();
        acme.post(&user("guest@other.com")).send().await.scim_error(409, Some("uniqueness"));
        assert_eq!(acme.rest("members/count").await["count"], 0);
        let rename = json!([{ "op": "replace", "path": "name.givenName", "value": "Gu" }]);
        assert_eq!(acme.patch(&held, &rename).send().await.expect(200).json()["name"]["givenName"], "Gu");
        acme.active(&held, false).await;
        acme.active(&held, true).await;
        assert_eq!(acme.rest("members/count").await["count"], 0);
        // An address of the directory lets the person in.
        acme.put(&held, &user("guest@acme.com")).send().await.expect(200);
        assert_eq!(acme.member("guest@acme.com").await.expect("let in")["source"], "scim");
        // Who stands for a member does not become somebody elsewhere.
        acme.put(&held, &user("guest@other.com")).send().await.scim_error(400, Some("invalidValue"));
        acme.delete(&held).send().await.expect(204);
        assert_eq!(acme.member("guest@acme.com").await.expect("a tombstone")["status"], "deactivated");
    }

    async fn who_is_held_gets_in_by_an_invite_and_is_put_out_by_the_directory(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let rival = Tenant::new(&app, "Rival", "rival.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let mut ids = Vec::new();
        for name in ["jo@acme.com", "guest@other.com", "helper@other.com", "no-address"] {
            app.clock.advance(Duration::from_secs(1));
            ids.push(acme.user(name).await);
        }
        let [_, guest, helper, nameless] = ids.as_slice() else { unreachable!("four were made") };
        let held = async || {
            let page = acme.rest("scim/users?held=true&include_total=true").await;
            let users = page["data"].as_array().expect("a page").clone();
            assert_eq!(page["total"], users.len(), "{page}");
            let names = users.iter().map(|user| {
                assert_eq!((&user["held"], user.get("user_id")), (&json!(true), None), "{user}");
                text(user, "user_name").to_owned()
            });
            names.collect::<Vec<String>>()
        };
        assert_eq!(held().await, ["guest@other.com", "helper@other.com", "no-address"]);
        let all = acme.rest("scim/users?limit=3").await;
        assert_eq!(all["data"].as_array().map(Vec::len), Some(3));
        let rest = acme.rest(&format!("scim/users?limit=3&cursor={}", text(&all, "next_cursor"))).await;
        assert_eq!((&rest["data"][0]["scim_id"], rest.get("next_cursor")), (&json!(nameless), None));
        let first = &all["data"][0];
        assert_eq!((&first["email"], &first["held"]), (&json!("jo@acme.com"), &json!(false)), "{first}");
        assert_eq!(acme.rest(&format!("scim/users/{}", text(first, "id"))).await, *first);
        assert_eq!(rival.rest("scim/users").await["data"], json!([]));
        let elsewhere = format!("/api/v1/organizations/{}/scim/users/{}", rival.org, text(first, "id"));
        app.get(&elsewhere).operator().send().await.problem(404, "not_found");

        // An administrator lets them in, one by invite and one by hand.
        let invites = format!("/api/v1/organizations/{}/invites", acme.org);
        let body = json!({ "email": "guest@other.com", "role": "admin" });
        let made = app.post(&invites).operator().json(&body).send().await.expect(201).json();
        let link = text(&made, "link");
        let token = link.rsplit_once('#').expect("a fragment").1;
        app.post("/api/v1/invites/accept").json(&json!({ "token": token })).send().await.expect(200);
        acme.add_member("helper@other.com", "member").await;
        assert_eq!(held().await, ["no-address"]);
        // What the directory says of them is carried to nobody, and their names can be set here.
        let rename = json!([{ "op": "replace", "path": "name.givenName", "value": "Gu" }]);
        acme.patch(guest, &rename).send().await.expect(200);
        let member = acme.member("guest@other.com").await.expect("let in");
        assert_eq!((member.get("given_name"), &member["role"], &member["source"]), (None, &json!("admin"), &json!("invite")));
        let path = format!("members/{}", text(&member, "user_id"));
        assert_eq!(acme.set(&path, &json!({ "given_name": "Gail" })).await.json()["given_name"], "Gail");
        let move_away = json!([{ "op": "replace", "path": "userName", "value": "boss@acme.com" }]);
        acme.patch(guest, &move_away).send().await.scim_error(400, Some("invalidValue"));

        // It puts them out at once, and gives back what it took.
        let cookie = session(&app, &acme.org, text(&member, "user_id")).await;
        app.get("/api/v1/me").session(&cookie).send().await.expect(200);
        acme.active(guest, false).await;
        app.get("/api/v1/me").session(&cookie).send().await.expect(401);
        assert_eq!(acme.member("guest@other.com").await.expect("kept")["status"], "deactivated");
        acme.active(guest, true).await;
        let member = acme.member("guest@other.com").await.expect("back");
        assert_eq!((&member["status"], &member["role"], &member["given_name"]), (&json!("active"), &json!("member"), &json!("Gail")));
        // Not what an administrator took.
        acme.set(&path, &json!({ "active": false })).await;
        acme.active(guest, false).await;
        acme.active(guest, true).await;
        assert_eq!(acme.member("guest@other.com").await.expect("out")["status"], "deactivated");
        acme.delete(helper).send().await.expect(204);
        assert_eq!(acme.member("helper@other.com").await.expect("a tombstone")["status"], "deactivated");
    }

    async fn an_owner_is_not_put_out_by_who_was_held(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        let held = acme.user("boss@other.com").await;
        acme.add_member("boss@other.com", "owner").await;
        acme.active(&held, false).await;
        acme.delete(&held).send().await.expect(204);
        assert_eq!(acme.member("boss@other.com").await.expect("an owner")["status"], "active");
    }

    async fn who_was_held_before_the_domain_was_verified_is_deprovisioned_all_the_same(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        acme.speaks(false).await;
        let (jo, kim) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        let (lee, pat) = (acme.user("lee@acme.com").await, acme.user("pat@acme.com").await);
        acme.active(&pat, false).await;
        assert_eq!(acme.rest("members/count").await["count"], 0);
        acme.speaks(true).await;
        // All come in by another way before the IdP says more of them.
        for address in ["jo@acme.com", "kim@acme.com", "lee@acme.com", "pat@acme.com"] {
            acme.add_member(address, "member").await;
        }
        acme.active(&jo, false).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "deactivated");
        acme.active(&jo, true).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("jo")["status"], "active");
        acme.delete(&kim).send().await.expect(204);
        assert_eq!(acme.member("kim@acme.com").await.expect("kim")["status"], "deactivated");
        acme.active(&pat, false).await;
        assert_eq!(acme.member("pat@acme.com").await.expect("pat")["status"], "deactivated");
        // Where somebody else of the directory stands for the person by now, the old one says nothing of them.
        let mut second = user("lee.second");
        second["emails"][0]["value"] = json!("lee@acme.com");
        acme.post(&second).send().await.expect(201);
        acme.active(&lee, false).await;
        acme.delete(&lee).send().await.expect(204);
        assert_eq!(acme.member("lee@acme.com").await.expect("lee")["status"], "active");
    }

    async fn a_domain_that_is_given_up_ends_the_say_but_not_the_deprovisioning(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (jo, kim) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        acme.active(&kim, false).await;
        acme.speaks(false).await;
        acme.post(&user("new@acme.com")).send().await.scim_error(400, Some("invalidValue"));
        let rename = json!([{ "op": "replace", "path": "name.givenName", "value": "X" }]);
        acme.patch(&jo, &rename).send().await.scim_error(400, Some("invalidValue"));
        let back = json!([{ "op": "replace", "path": "active", "value": true }]);
        acme.patch(&kim, &back).send().await.scim_error(400, Some("invalidValue"));
        let mut put = user("jo@elsewhere.org");
        put["active"] = json!(false);
        acme.put(&jo, &put).send().await.expect(200);
        assert_eq!(acme.member("jo@acme.com").await.expect("kept")["status"], "deactivated");
        acme.delete(&kim).send().await.expect(204);
        acme.speaks(true).await;
        acme.put(&jo, &user("jo@acme.com")).send().await.expect(200);
        assert_eq!(acme.member("jo@acme.com").await.expect("back")["status"], "active");
    }

    async fn somebody_who_is_there_is_adopted(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let owner = acme.add_member("boss@acme.com", "owner").await;
        let guest = acme.add_member("guest@other.com", "admin").await;
        let mut body = user("boss@acme.com");
        body["externalId"] = json!("ext-1");
        acme.post(&body).send().await.expect(201);
        let member = acme.member("boss@acme.com").await.expect("a member");
        assert_eq!(text(&member, "user_id"), owner);
        assert_eq!((&member["role"], &member["source"]), (&json!("owner"), &json!("rest")), "as it was");
        assert_eq!((&member["given_name"], &member["external_id"]), (&json!("Jo"), &json!("ext-1")));
        acme.post(&user("guest@other.com")).send().await.scim_error(400, Some("invalidValue"));
        let untouched = acme.member("guest@other.com").await.expect("a guest");
        assert_eq!((text(&untouched, "user_id"), &untouched["given_name"]), (guest.as_str(), &json!(null)));
    }

    async fn an_address_in_use_is_not_given_to_another(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let (jo, _) = (acme.user("jo@acme.com").await, acme.user("kim@acme.com").await);
        acme.add_member("by.hand@acme.com", "owner").await;
        for taken in ["kim@acme.com", "by.hand@acme.com"] {
            acme.put(&jo, &user(taken)).send().await.scim_error(409, Some("uniqueness"));
        }
        let mut alias = user("jo-login");
        alias["emails"][0]["value"] = json!("by.hand@acme.com");
        acme.put(&jo, &alias).send().await.scim_error(409, Some("uniqueness"));
        assert!(acme.member("jo@acme.com").await.is_some());
    }

    async fn a_pending_invite_is_taken_up(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let invites = format!("/api/v1/organizations/{}/invites", acme.org);
        for (address, role) in [("jo@acme.com", "admin"), ("kim@acme.com", "admin")] {
            let body = json!({ "email": address, "role": role });
            app.post(&invites).operator().json(&body).send().await.expect(201);
        }
        acme.user("jo@acme.com").await;
        assert_eq!(acme.member("jo@acme.com").await.expect("a member")["role"], "admin");
        // Who is pushed inactive takes up nothing, and no invite stays open for that person.
        let mut body = user("kim@acme.com");
        body["active"] = json!(false);
        acme.post(&body).send().await.expect(201);
        let kim = acme.member("kim@acme.com").await.expect("a member");
        assert_eq!((&kim["role"], &kim["status"]), (&json!("member"), &json!("deactivated")));
        let invites = acme.rest("invites").await;
        for invite in invites["data"].as_array().expect("a page") {
            let status = if invite["email"] == "jo@acme.com" { "accepted" } else { "revoked" };
            assert_eq!(invite["status"], status);
        }
        let events = acme.events().await;
        assert!(events.contains(&"invite.accepted".to_owned()) && events.contains(&"invite.revoked".to_owned()), "{events:?}");
    }

    async fn deactivation_ends_the_session_at_once(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let ids = [acme.user("patch@acme.com").await, acme.user("put@acme.com").await, acme.user("delete@acme.com").await];
        let mut cookies = Vec::new();
        for address in ["patch@acme.com", "put@acme.com", "delete@acme.com"] {
            let member = acme.member(address).await.expect("a member");
            let cookie = session(&app, &acme.org, text(&member, "user_id")).await;
            app.get("/api/v1/me").session(&cookie).send().await.expect(200);
            cookies.push(cookie);
        }
        acme.active(&ids[0], false).await;
        let mut put = user("put@acme.com");
        put["active"] = json!(false);
        acme.put(&ids[1], &put).send().await.expect(200);
        acme.delete(&ids[2]).send().await.expect(204);
        for cookie in &cookies {
            app.get("/api/v1/me").session(cookie).send().await.expect(401);
        }
        // A session does not come back with the access.
        acme.active(&ids[0], true).await;
        app.get("/api/v1/me").session(&cookies[0]).send().await.expect(401);
    }

    async fn the_last_owner_goes_too(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        acme.add_member("boss@acme.com", "owner").await;
        let id = acme.user("boss@acme.com").await;
        acme.active(&id, false).await;
        assert_eq!(acme.member("boss@acme.com").await.expect("kept")["status"], "deactivated");
        assert!(acme.events().await.contains(&"organization.ownerless".to_owned()));
        // An ordinary role comes back.
        acme.active(&id, true).await;
        let back = acme.member("boss@acme.com").await.expect("back");
        assert_eq!((&back["status"], &back["role"]), (&json!("active"), &json!("member")));
    }

    async fn what_an_administrator_ended_scim_does_not_give_back(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let member = acme.member("jo@acme.com").await.expect("a member");
        let path = format!("members/{}", text(&member, "user_id"));
        acme.set(&path, &json!({ "active": false })).await;
        acme.active(&id, false).await;
        assert_eq!(acme.active(&id, true).await.json()["active"], true, "the directory user is as sent");
        assert_eq!(acme.member("jo@acme.com").await.expect("kept")["status"], "deactivated");
        acme.delete(&id).send().await.expect(204);
        acme.user("jo@acme.com").await;
        assert_eq!(acme.member("jo@acme.com").await.expect("kept")["status"], "deactivated");
        // An owner (here the operator) does; then the directory's word counts again.
        acme.set(&path, &json!({ "active": true })).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("back")["status"], "active");

        let removed = acme.user("gone@acme.com").await;
        let member = acme.member("gone@acme.com").await.expect("a member");
        let path = format!("/api/v1/organizations/{}/members/{}", acme.org, text(&member, "user_id"));
        app.delete(&path).operator().send().await.expect(204);
        acme.active(&removed, false).await;
        acme.active(&removed, true).await;
        acme.delete(&removed).send().await.expect(204);
        acme.user("gone@acme.com").await;
        assert!(acme.member("gone@acme.com").await.is_none(), "a tombstone");
    }

    async fn who_was_put_out_by_both_is_given_back_by_neither(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let key = app.api_key(&acme.org, &["organization_member:write", "organization_member:read"]).await;
        let set = async |address: &str, active: bool| {
            let member = acme.member(address).await.expect("a member");
            let path = format!("/api/v1/organizations/{}/members/{}", acme.org, text(&member, "user_id"));
            app.patch(&path).bearer(&key).json(&json!({ "active": active })).send().await
        };
        let status = async |address: &str| {
            let member = acme.member(address).await.expect("a member");
            (text(&member, "status").to_owned(), member["deactivated_by"].clone(), member["also_deactivated_by"].clone())
        };
        let out = |by: &str| ("deactivated".to_owned(), json!(by), json!(null));
        let back = ("active".to_owned(), json!(null), json!(null));
        // The directory first, then an administrator: the directory's change of mind does not undo the administrator's.
        let jo = acme.user("jo@acme.com").await;
        acme.active(&jo, false).await;
        set("jo@acme.com", false).await.expect(200);
        assert_eq!(status("jo@acme.com").await, ("deactivated".to_owned(), json!("scim"), json!("rest")));
        set("jo@acme.com", true).await.problem(403, "deactivated_elsewhere");
        acme.active(&jo, true).await;
        assert_eq!(status("jo@acme.com").await, out("rest"));
        set("jo@acme.com", true).await.expect(200);
        assert_eq!(status("jo@acme.com").await, back);
        // An administrator first, then the directory: the administrator's does not undo the directory's.
        let kim = acme.user("kim@acme.com").await;
        set("kim@acme.com", false).await.expect(200);
        acme.active(&kim, false).await;
        set("kim@acme.com", true).await.problem(403, "deactivated_elsewhere");
        acme.active(&kim, true).await;
        assert_eq!(status("kim@acme.com").await, out("rest"));
        // Put out again while the administrator's word stands, and taken away for good: nobody comes back by POST.
        acme.active(&kim, false).await;
        acme.delete(&kim).send().await.expect(204);
        acme.user("kim@acme.com").await;
        assert_eq!(status("kim@acme.com").await, out("rest"));
        // Removed by an administrator after the directory put the person out: a tombstone for the directory, too.
        let lee = acme.user("lee@acme.com").await;
        acme.active(&lee, false).await;
        let member = acme.member("lee@acme.com").await.expect("a member");
        let path = format!("/api/v1/organizations/{}/members/{}", acme.org, text(&member, "user_id"));
        app.delete(&path).operator().send().await.expect(204);
        acme.active(&lee, true).await;
        assert!(acme.member("lee@acme.com").await.is_none(), "a tombstone");
        // An owner (here the operator) gives back whom both put out.
        acme.active(&jo, false).await;
        set("jo@acme.com", false).await.expect(200);
        let member = acme.member("jo@acme.com").await.expect("a member");
        acme.set(&format!("members/{}", text(&member, "user_id")), &json!({ "active": true })).await;
        assert_eq!(status("jo@acme.com").await, back);
    }

    async fn deprovisioning_again_puts_out_whom_an_owner_let_in(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let first = acme.active(&id, false).await.json();
        let member = acme.member("jo@acme.com").await.expect("a member");
        acme.set(&format!("members/{}", text(&member, "user_id")), &json!({ "active": true })).await;
        // A push of names says nothing of access.
        let names = json!([{ "op": "replace", "path": "title", "value": "CTO" }]);
        acme.patch(&id, &names).send().await.expect(200);
        assert_eq!(acme.member("jo@acme.com").await.expect("in")["status"], "active");
        let mut put = user("jo@acme.com");
        put.as_object_mut().expect("an object").remove("active");
        assert_eq!(acme.put(&id, &put).send().await.expect(200).json()["active"], false);
        assert_eq!(acme.member("jo@acme.com").await.expect("in")["status"], "active");
        assert_eq!(first["active"], false);
        acme.active(&id, false).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("out")["status"], "deactivated");
    }

    async fn a_leaver_and_the_next_with_the_address(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut body = user("jo@acme.com");
        body["externalId"] = json!("ext-1");
        let id = acme.post(&body).send().await.expect(201).id();
        let user_id = acme.member("jo@acme.com").await.expect("a member")["user_id"].clone();
        acme.set(&format!("members/{}", user_id.as_str().expect("an id")), &json!({ "role": "admin" })).await;
        acme.delete(&id).send().await.expect(204);
        body["externalId"] = json!("ext-2");
        acme.post(&body).send().await.expect(201);
        let back = acme.member("jo@acme.com").await.expect("a member");
        assert_eq!((&back["user_id"], &back["role"], &back["external_id"]), (&user_id, &json!("member"), &json!("ext-2")));
    }

    async fn manual_mode_lets_nobody_in_and_everybody_out(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let jo = acme.user("jo@acme.com").await;
        acme.add_member("kim@acme.com", "member").await;
        acme.set("", &json!({ "provisioning_mode": "manual" })).await;
        acme.post(&user("new@acme.com")).send().await.scim_error(403, None);
        assert!(acme.member("new@acme.com").await.is_none());
        acme.user("kim@acme.com").await;
        acme.active(&jo, false).await;
        assert_eq!(acme.member("jo@acme.com").await.expect("kept")["status"], "deactivated");
        acme.set("", &json!({ "provisioning_mode": "scim" })).await;
        acme.user("new@acme.com").await;
    }

    async fn what_happened_is_told(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let before = acme.events().await.len();
        // Events that happen in one millisecond come in any order.
        let later = || app.clock.advance(Duration::from_secs(1));
        later();
        let id = acme.user("jo@acme.com").await;
        later();
        let names = json!([{ "op": "replace", "path": "name.givenName", "value": "Joanna" }]);
        acme.patch(&id, &names).send().await.expect(200);
        later();
        acme.active(&id, false).await;
        later();
        acme.active(&id, true).await;
        later();
        acme.delete(&id).send().await.expect(204);
        let mut told = acme.events().await.split_off(before);
        let steps: [&mut [&str]; 5] = [
            &mut ["member.added", "directory_user.created"],
            &mut ["member.updated", "directory_user.updated"],
            &mut ["member.deactivated", "directory_user.deactivated"],
            &mut ["member.reactivated", "directory_user.reactivated"],
            &mut ["member.deactivated", "directory_user.deleted"],
        ];
        for step in steps {
            assert!(told.len() >= step.len(), "{told:?}");
            let mut now: Vec<String> = told.drain(..step.len()).collect();
            now.sort_unstable();
            step.sort_unstable();
            assert_eq!(now, step);
        }
        assert!(told.is_empty(), "{told:?}");
    }
}
