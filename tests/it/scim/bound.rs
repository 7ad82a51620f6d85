//! A SCIM token that is bound to one domain: it reaches the users on that domain, and to it the others are not there.

use serde_json::json;

use super::{Tenant, user};
use crate::support::app::{on_both, text};

/// The token of a second domain of the tenant, which the directory speaks for as well.
async fn second<'a>(tenant: &Tenant<'a>, name: &str) -> Tenant<'a> {
    let app = tenant.app;
    let domain = app.domain(&tenant.org, name).await;
    let path = format!("/api/v1/organizations/{}/domains/{domain}/scim/token", tenant.org);
    let made = app.post(&path).operator().send().await.expect(201).json();
    assert_eq!(made["domain_id"], domain.as_str());
    let token = text(&made, "token").to_owned();
    let bound = Tenant { app, org: tenant.org.clone(), domain, token };
    bound.speaks(true).await;
    bound
}

on_both! {
    async fn a_token_of_one_domain_makes_and_moves_nobody_elsewhere(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lab = second(&acme, "lab.test").await;
        lab.user("jo@lab.test").await;
        for name in ["jo@acme.com", "jo@sub.lab.test", "jo@other.com", "jo"] {
            let error = lab.post(&user(name)).send().await.scim_error(400, Some("invalidValue"));
            let detail = text(&error, "detail");
            assert!(detail.contains("Allowed domains: lab.test."), "{detail}");
        }
        // Held people are the whole directory's.
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        lab.post(&user("jo@other.com")).send().await.scim_error(400, Some("invalidValue"));
        acme.post(&user("jo@other.com")).send().await.expect(201);

        let kim = lab.user("kim@lab.test").await;
        let away = json!([{ "op": "replace", "path": "userName", "value": "kim@acme.com" }]);
        lab.patch(&kim, &away).send().await.scim_error(400, Some("invalidValue"));
        lab.put(&kim, &user("kim@acme.com")).send().await.scim_error(400, Some("invalidValue"));
        assert_eq!(lab.get(&format!("/Users/{kim}")).send().await.expect(200).json()["userName"], "kim@lab.test");
        // A deactivation is never refused, whatever else the request says.
        let mut put = user("kim@acme.com");
        put["active"] = json!(false);
        lab.put(&kim, &put).send().await.expect(200);
        assert_eq!(acme.member("kim@lab.test").await.expect("kim")["status"], "deactivated");
        // The whole directory's token moves people between its domains.
        let jo = acme.user("lee@acme.com").await;
        acme.put(&jo, &user("lee@lab.test")).send().await.expect(200);
        lab.get(&format!("/Users/{jo}")).send().await.expect(200);
    }

    async fn groups_are_the_whole_directory_s(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lab = second(&acme, "lab.test").await;
        let kim = lab.user("kim@lab.test").await;
        let id = acme.group("Everybody", &[&kim, &acme.user("jo@acme.com").await]).await;
        let group = json!({ "displayName": "Mine" });
        for (method, path, body) in [
            ("GET", "/Groups".to_owned(), serde_json::Value::Null), ("POST", "/Groups".to_owned(), group.clone()),
            ("GET", format!("/Groups/{id}"), serde_json::Value::Null), ("PUT", format!("/Groups/{id}"), group),
            ("DELETE", format!("/Groups/{id}"), serde_json::Value::Null),
        ] {
            lab.send(method, &path, &body).send().await.scim_error(403, None);
        }
        lab.patch_group(&id, &json!([{ "op": "remove", "path": "members" }])).send().await.scim_error(403, None);
        assert!(!lab.get(&format!("/Users/{kim}")).send().await.expect(200).body.contains("Everybody"));
        let found = lab.get("/Users?filter=groups%20pr").send().await.expect(200).json();
        assert_eq!(found["totalResults"], 0);
        // Whoever goes leaves the group.
        lab.delete(&kim).send().await.expect(204);
        assert_eq!(acme.members_of(&id).await.len(), 1);
    }

    async fn to_a_token_of_one_domain_the_others_are_not_there(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lab = second(&acme, "lab.test").await;
        let mut theirs = Vec::new();
        for n in 0..3 {
            theirs.push(acme.user(&format!("p{n}@acme.com")).await);
            acme.user(&format!("q{n}@lab.test")).await;
        }
        acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
        theirs.push(acme.user("held@lab.test.evil.com").await);
        theirs.push(acme.user("nobody").await);
        for id in &theirs {
            lab.get(&format!("/Users/{id}")).send().await.scim_error(404, None);
            lab.put(id, &user("q9@lab.test")).send().await.scim_error(404, None);
            lab.patch(id, &json!([{ "op": "replace", "path": "active", "value": false }])).send().await.scim_error(404, None);
            lab.delete(id).send().await.scim_error(404, None);
            acme.get(&format!("/Users/{id}")).send().await.expect(200);
        }
        let page = lab.get("/Users?count=2").send().await.expect(200).json();
        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(3), &json!(2)));
        let rest = lab.get("/Users?startIndex=3&count=2").send().await.expect(200).json();
        assert_eq!(rest["itemsPerPage"], 1);
        for filter in [
            "userName eq \"p0@acme.com\"".to_owned(), "userName sw \"p\"".to_owned(), format!("id eq \"{}\"", theirs[1]),
            "emails.value co \"acme\"".to_owned(), "userName eq \"nobody\"".to_owned(), "userName co \"evil\"".to_owned(),
        ] {
            let list = lab.get("/Users").query(&[("filter", &filter)]).send().await.expect(200).json();
            assert_eq!((&list["totalResults"], &list["Resources"]), (&json!(0), &json!([])), "{filter}");
        }
        // A name that is no address is the whole directory's: that it is taken is all that is told.
        let mut namesake = user("nobody");
        namesake["emails"] = json!([{ "value": "nobody@lab.test", "type": "work", "primary": true }]);
        let taken = lab.post(&namesake).send().await.scim_error(409, Some("uniqueness")).to_string();
        assert!(!theirs.iter().any(|id| taken.contains(id)) && !taken.contains("acme"), "{taken}");
        let own = lab.get("/Users").query(&[("filter", "userName sw \"q\"")]).send().await.expect(200).json();
        assert_eq!(own["totalResults"], 3);
        let own = lab.get("/Users").query(&[("filter", "userName eq \"Q1@lab.test\"")]).send().await.expect(200).json();
        assert_eq!(own["totalResults"], 1);
        let search = app.post("/scim/v2/.search").bearer(&lab.token).scim(&json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "active eq true",
        }));
        assert_eq!(search.send().await.expect(200).json()["totalResults"], 3);
    }

    async fn the_token_of_a_domain_is_rotated_and_goes_with_it(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let lab = second(&acme, "lab.test").await;
        let path = format!("/api/v1/organizations/{}/domains/{}/scim/token", lab.org, lab.domain);
        let made = app.post(&path).operator().json(&json!({ "overlap_days": 1 })).send().await.expect(201).json();
        assert_eq!((&made["domain_id"], &made["replaces"]["status"]), (&json!(lab.domain), &json!("rotating")));
        let newer = Tenant { token: text(&made, "token").to_owned(), org: lab.org.clone(), domain: lab.domain.clone(), ..lab };
        newer.user("jo@lab.test").await;
        newer.post(&user("jo@acme.com")).send().await.scim_error(400, Some("invalidValue"));
        lab.get("/Users").send().await.expect(200);
        // A domain of another organization is not there.
        let other = app.organization("Other").await;
        let foreign = format!("/api/v1/organizations/{other}/domains/{}/scim/token", lab.domain);
        app.post(&foreign).operator().send().await.problem(404, "not_found");

        // Not verified any more, or switched off: nobody new, and nothing else opens up.
        lab.speaks(false).await;
        newer.post(&user("kim@lab.test")).send().await.scim_error(400, Some("invalidValue"));
        newer.post(&user("kim@acme.com")).send().await.scim_error(400, Some("invalidValue"));
        app.delete(&format!("/api/v1/organizations/{}/domains/{}", lab.org, lab.domain)).operator().send().await.expect(204);
        newer.get("/Users").send().await.scim_error(401, None);
        lab.get("/Users").send().await.scim_error(401, None);
        acme.get("/Users").send().await.expect(200);
        let tokens = acme.rest("scim").await["tokens"].as_array().expect("tokens").clone();
        let mut states: Vec<&str> = tokens.iter().map(|token| text(token, "status")).collect();
        states.sort_unstable();
        assert_eq!(states, ["active", "revoked", "revoked"]);
    }

    async fn a_rotation_leaves_no_token_of_a_domain_that_goes_meanwhile(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        for n in 0..6 {
            let lab = second(&acme, &format!("lab{n}.test")).await;
            let of_the_domain = async || {
                let mut tokens = acme.rest("scim/tokens").await["data"].as_array().expect("tokens").clone();
                tokens.retain(|token| token["domain_id"] == lab.domain.as_str());
                tokens
            };
            let old = of_the_domain().await.remove(0);
            let organization = format!("/api/v1/organizations/{}", lab.org);
            let rotate = app.post(&format!("{organization}/scim/tokens/{}/rotate", text(&old, "id"))).operator().send();
            let delete = app.delete(&format!("{organization}/domains/{}", lab.domain)).operator().send();
            let (rotated, gone) = tokio::join!(rotate, delete);
            gone.expect(204);
            assert!(rotated.status == 201 || rotated.status == 409, "{rotated:?}");
            for token in of_the_domain().await {
                assert_eq!(token["status"], "revoked", "{token}");
            }
        }
    }
}
