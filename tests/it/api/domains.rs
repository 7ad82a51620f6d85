//! Domains through HTTP, proven by records of a real name server over UDP and TCP: each outcome, the race for a name,
//! and who may change what.

use std::net::Ipv4Addr;
use std::time::Duration;

use postern::demo::dns::{Fault, NameServer};
use postern::model::tenant::TenantScope;
use serde_json::{Value, json};

use crate::support::app::{TestApp, on_both, text};
use crate::support::database::{Backend, Database};

/// A Postern that asks this name server.
async fn with_dns(backend: Backend) -> (TestApp, NameServer) {
    let server = NameServer::start().await.expect("a name server");
    let config = format!("[dns]\nnameservers = [\"{}\"]\ntimeout_seconds = 1", server.address());
    let database = Database::migrated(backend).await;
    let app = TestApp::builder().database(database).config(&config).real_dns().start().await;
    (app, server)
}

/// Defines tests with a name server on SQLite and on PostgreSQL.
macro_rules! with_dns_on_both {
    ($(async fn $name:ident($app:ident: TestApp, $dns:ident: NameServer) $body:block)+) => {
        $(async fn $name($app: TestApp, $dns: NameServer) $body

        mod $name {
            use super::Backend;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let (app, dns) = super::with_dns(Backend::Sqlite).await;
                super::$name(app, dns).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let (app, dns) = super::with_dns(Backend::Postgres).await;
                super::$name(app, dns).await;
            }
        })+
    };
}

fn domains(organization: &str) -> String {
    format!("/api/v1/organizations/{organization}/domains")
}

/// A new claim, and the path of it.
async fn claim(app: &TestApp, organization: &str, name: &str) -> (Value, String) {
    let body = json!({ "name": name });
    let made = app.post(&domains(organization)).operator().json(&body).send().await.expect(201).json();
    let path = format!("{}/{}", domains(organization), text(&made, "id"));
    (made, path)
}

async fn read(app: &TestApp, path: &str) -> Value {
    app.get(path).operator().send().await.expect(200).json()
}

/// The events of a kind in an organization.
async fn events(app: &TestApp, organization: &str, kind: &str) -> Vec<postern::store::events::Event> {
    postern::service::number_events(app.services()).await.expect("numbered");
    let scope = TenantScope::established(organization.parse().expect("an id"));
    let all = postern::store::events::list(&app.services().db, scope, &[], None, false, 1_000).await;
    all.expect("events").into_iter().filter(|event| event.kind.as_str() == kind).collect()
}

with_dns_on_both! {
    async fn each_outcome_has_its_own_words(app: TestApp, dns: NameServer) {
        let org = app.organization("Acme").await;
        let (made, path) = claim(&app, &org, "Acme.test").await;
        assert_eq!((&made["name"], &made["status"]), (&json!("acme.test"), &json!("unverified")));
        for flag in ["jit_provisioning_enabled", "scim_enabled"] {
            assert_eq!(made[flag], false, "nothing works through a claim by itself");
        }
        let wanted = &made["verification"];
        assert_eq!((&wanted["status"], &wanted["record_type"]), (&json!("pending"), &json!("TXT")));
        assert_eq!(wanted["record_name"], "_postern-challenge.acme.test");
        assert_eq!(wanted["expires_at"], "2026-11-25T13:46:40Z", "seven days");
        assert!(wanted.get("last_result").is_none(), "{wanted}");
        let (record, value) = (text(wanted, "record_name"), text(wanted, "record_value"));
        let verify = format!("{path}/verify");

        let problem = app.post(&verify).operator().send().await.problem(409, "dns_no_such_name");
        let detail = text(&problem, "detail");
        assert!(detail.contains(record) && detail.contains(value), "what to do: {detail}");
        let after = read(&app, &path).await;
        assert_eq!(after["verification"]["last_result"], "no_such_name");
        assert_eq!(after["verification"]["last_checked_at"], "2026-11-18T13:46:40Z");
        assert_eq!(after["status"], "unverified");

        dns.set_a(record, Ipv4Addr::LOCALHOST);
        app.post(&verify).operator().send().await.problem(409, "dns_no_record");
        assert_eq!(read(&app, &path).await["verification"]["last_result"], "no_record");

        dns.set_txt(record, &["MS=secret-of-theirs", "postern-verification=old"]);
        let problem = app.post(&verify).operator().send().await.problem(409, "dns_wrong_value");
        let detail = text(&problem, "detail");
        assert!(detail.contains("postern-verification=old") && !detail.contains("secret-of-theirs"), "{detail}");
        assert_eq!(read(&app, &path).await["verification"]["last_result"], "wrong_value");

        dns.remove(record);
        dns.set_txt("acme.test", &[value]);
        let problem = app.post(&verify).operator().send().await.problem(409, "dns_no_such_name");
        assert!(text(&problem, "detail").contains("stands on acme.test itself"), "{problem}");

        dns.remove("acme.test");
        dns.set_txt("*.acme.test", &[value]);
        app.post(&verify).operator().send().await.problem(409, "dns_wildcard");
        dns.remove("*.acme.test");

        for fault in [Fault::ServerFailure, Fault::Silence] {
            dns.set_txt(record, &[value]);
            dns.set_fault_everywhere(Some(fault));
            let answer = app.post(&verify).operator().send().await;
            let problem = answer.problem(503, "dns_unknown");
            assert!(text(&problem, "detail").contains("says nothing about the record"), "{problem}");
            assert!(answer.header("retry-after").is_some());
            let after = read(&app, &path).await;
            assert_eq!(after["verification"]["last_result"], "unknown", "never failed");
            assert_eq!(after["status"], "unverified");
        }
        dns.set_fault_everywhere(None);

        let verified = app.post(&verify).operator().send().await.expect(200).json();
        assert_eq!((&verified["status"], &verified["verification"]["status"]), (&json!("verified"), &json!("verified")));
        assert_eq!(verified["verification"]["last_result"], "matched");
        assert!(verified["verification"].get("expires_at").is_none(), "{verified}");
        for verb in ["verify", "renew"] {
            app.post(&format!("{path}/{verb}")).operator().send().await.problem(400, "already_verified");
        }
        assert_eq!(events(&app, &org, "domain.verified").await.len(), 1);
        // Long values come in parts and over TCP.
        let (made, path) = claim(&app, &org, "bcc.test").await;
        let wanted = &made["verification"];
        dns.set_txt(text(wanted, "record_name"), &[&"spf ".repeat(400), text(wanted, "record_value")]);
        app.post(&format!("{path}/verify")).operator().send().await.expect(200);
    }

    async fn an_expired_challenge_is_renewed_and_the_old_value_proves_nothing(app: TestApp, dns: NameServer) {
        let org = app.organization("Acme").await;
        let (made, path) = claim(&app, &org, "acme.test").await;
        let old = text(&made["verification"], "record_value").to_owned();
        let record = text(&made["verification"], "record_name").to_owned();
        dns.set_txt(&record, &[&old]);
        app.clock.advance(Duration::from_hours(7 * 24));
        let verify = format!("{path}/verify");
        let problem = app.post(&verify).operator().send().await.problem(409, "challenge_expired");
        assert!(text(&problem, "detail").contains("renew"), "{problem}");
        assert_eq!(dns.take_questions(), [], "nobody is asked for nothing");
        assert_eq!(read(&app, &path).await["verification"]["status"], "expired");

        let renewed = app.post(&format!("{path}/renew")).operator().send().await.expect(200).json();
        let new = text(&renewed["verification"], "record_value");
        assert_ne!(new, old);
        assert_eq!(renewed["verification"]["status"], "pending");
        let problem = app.post(&verify).operator().send().await.problem(409, "dns_wrong_value");
        assert!(text(&problem, "detail").contains("belongs to another"), "{problem}");
        dns.set_txt(&record, &[&old, new]);
        app.post(&verify).operator().send().await.expect(200);
    }

    async fn of_two_organizations_that_prove_one_name_exactly_one_holds_it(app: TestApp, dns: NameServer) {
        let orgs = [app.organization("Acme").await, app.organization("Other").await];
        for round in 0..6 {
            let name = format!("acme{round}.test");
            let mut values = Vec::new();
            let mut paths = Vec::new();
            for org in &orgs {
                let (made, path) = claim(&app, org, &name).await;
                values.push(text(&made["verification"], "record_value").to_owned());
                paths.push(path);
            }
            let record = format!("_postern-challenge.{name}");
            // Without its own record a newcomer learns nothing of the other claim.
            dns.set_txt(&record, &[&values[0]]);
            app.post(&format!("{}/verify", paths[1])).operator().send().await.problem(409, "dns_wrong_value");
            dns.set_txt(&record, &[&values[0], &values[1]]);
            let verify = |at: usize| app.post(&format!("{}/verify", paths[at])).operator().send();
            let answers: [_; 2] = tokio::join!(verify(0), verify(1)).into();
            let winner = usize::from(answers[1].status == 200);
            assert_eq!(answers[winner].status, 200, "{answers:?}");
            let (winner, loser) = (winner, 1 - winner);
            let problem = answers[loser].problem(409, "domain_held");
            assert!(!problem.to_string().contains(&orgs[winner]), "{problem}");
            assert_eq!(read(&app, &paths[loser]).await["verification"]["last_result"], "domain_held");
            verify(loser).await.problem(409, "domain_held");

            let told = events(&app, &orgs[winner], "domain.contested").await;
            let told: Vec<_> = told.iter().filter(|event| event.data["name"] == name.as_str()).collect();
            assert_eq!(told.len(), 1, "the holder is told once: {told:?}");
            assert_eq!(told[0].actor_kind, "system");
            assert!(!format!("{told:?}").contains(&orgs[loser]), "nor who: {told:?}");
            assert!(paths[winner].ends_with(&told[0].subject), "{told:?}");

            // Once the holder gives the name up, the other one has it, and a new claim starts from nothing.
            app.delete(&paths[winner]).operator().send().await.expect(204);
            verify(loser).await.expect(200);
            let (again, path) = claim(&app, &orgs[winner], &name).await;
            let value = text(&again["verification"], "record_value");
            assert!(!values.iter().any(|old| old == value), "a new claim has a new value");
            app.post(&format!("{path}/verify")).operator().send().await.problem(409, "dns_wrong_value");
            dns.set_txt(&record, &[value]);
            app.post(&format!("{path}/verify")).operator().send().await.problem(409, "domain_held");
        }
    }

    async fn a_challenge_renewed_during_the_look_is_not_proven_by_the_old_value(app: TestApp, dns: NameServer) {
        let org = app.organization("Acme").await;
        let (made, path) = claim(&app, &org, "acme.test").await;
        let wanted = &made["verification"];
        // The name server is slow: it stays silent until the challenge was renewed.
        dns.set_txt(text(wanted, "record_name"), &[text(wanted, "record_value")]);
        dns.set_fault_everywhere(Some(Fault::Silence));
        let verifying = tokio::spawn(app.post(&format!("{path}/verify")).operator().send());
        while dns.take_questions().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.post(&format!("{path}/renew")).operator().send().await.expect(200);
        dns.set_fault_everywhere(None);
        verifying.await.expect("an answer").problem(409, "challenge_changed");
        let after = read(&app, &path).await;
        assert_eq!(after["status"], "unverified");
        assert!(after["verification"].get("last_result").is_none(), "{after}");
    }
}

on_both! {
    async fn a_name_that_cannot_be_claimed_is_refused_with_its_reason(app: TestApp) {
        let org = app.organization("Acme").await;
        for (name, code) in [
            ("co.uk", "domain_is_public_suffix"),
            ("github.io", "domain_is_public_suffix"),
            ("gmail.com", "domain_is_free_mail"),
            ("https://acme.test/", "domain_is_web_address"),
            ("it@acme.test", "domain_is_email_address"),
            ("*.acme.test", "domain_is_wildcard"),
            ("127.0.0.1", "domain_is_ip_address"),
            ("acme", "domain_is_single_label"),
            ("", "domain_empty"),
        ] {
            let answer = app.post(&domains(&org)).operator().json(&json!({ "name": name })).send().await;
            let problem = answer.problem(400, "invalid_request");
            assert_eq!((&problem["errors"][0]["field"], &problem["errors"][0]["code"]), (&json!("name"), &json!(code)));
        }
        claim(&app, &org, "Bücher.test").await;
        let again = json!({ "name": "XN--BCHER-KVA.test." });
        app.post(&domains(&org)).operator().json(&again).send().await.problem(409, "domain_already_claimed");
        // Somebody else may claim it, and learns nothing.
        let other = app.organization("Other").await;
        app.post(&domains(&other)).operator().json(&again).send().await.expect(201);
        let unknown = json!({ "name": "acme.test", "verified": true });
        let problem = app.post(&domains(&org)).operator().json(&unknown).send().await;
        assert!(problem.expect(400).body.contains("verified"));
        // An organization that is not there, for the operator.
        let nowhere = "org_01h455vb4pex5vsknk084sn02q";
        app.post(&domains(nowhere)).operator().json(&again).send().await.problem(404, "not_found");
    }

    async fn a_patch_leaves_alone_sets_and_clears(app: TestApp) {
        let org = app.organization("Acme").await;
        let id = app.domain(&org, "acme.test").await;
        let path = format!("{}/{id}", domains(&org));
        let body = json!({ "name": "Okta", "type": "okta" });
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let connection = app.post(&connections).operator().json(&body).send().await.expect(201).id();

        let first = app.get(&path).operator().send().await.expect(200);
        let etag = first.header("etag").expect("an ETag").to_owned();
        let set = json!({ "jit_provisioning_enabled": true, "scim_enabled": true, "connection_ids": [connection] });
        let set = app.patch(&path).operator().header("if-match", &etag).json(&set).send().await.expect(200);
        assert_ne!(set.header("etag"), Some(etag.as_str()));
        let now = set.json();
        assert_eq!((&now["jit_provisioning_enabled"], &now["scim_enabled"]), (&json!(true), &json!(true)));
        assert_eq!(now["connection_ids"], json!([connection]));
        // Who read the version before must read again.
        let late = app.patch(&path).operator().header("if-match", &etag).json(&json!({ "scim_enabled": false }));
        late.send().await.problem(412, "precondition_failed");
        let late = app.delete(&path).operator().header("if-match", &etag);
        late.send().await.problem(412, "precondition_failed");
        // Absent leaves alone.
        let same = app.patch(&path).operator().json(&json!({})).send().await.expect(200);
        assert_eq!((same.json(), same.header("etag")), (now, set.header("etag")));
        // An empty list takes the connections away.
        let cleared = app.patch(&path).operator().json(&json!({ "connection_ids": [] })).send().await.expect(200);
        let cleared = cleared.json();
        assert_eq!(cleared["connection_ids"], json!([]));
        assert_eq!(cleared["scim_enabled"], true);
        // What cannot be changed is refused by name.
        for (body, field) in [
            (json!({ "name": "evil.test" }), "name"),
            (json!({ "status": "verified" }), "status"),
            (json!({ "connection_ids": [id] }), "connection_ids"),
            (json!({ "connection_ids": vec![&connection; 11] }), "at most 10"),
            (json!({ "scim_enabled": "yes" }), "scim_enabled"),
        ] {
            let answer = app.patch(&path).operator().json(&body).send().await.expect(400);
            assert!(answer.body.contains(field), "{}", answer.body);
        }
    }

    async fn changes_of_trust_need_the_right_to_them(app: TestApp) {
        let org = app.organization("Acme").await;
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let body = json!({ "name": "Okta", "type": "okta" });
        let connection = app.post(&connections).operator().json(&body).send().await.expect(201).id();
        let reader = app.api_key(&org, &["domain:read"]).await;
        let writer = app.api_key(&org, &["domain:read", "domain:write"]).await;
        let trusted = app.api_key(&org, &["domain:write", "trust"]).await;

        let new = json!({ "name": "acme.test" });
        let refused = app.post(&domains("me")).bearer(&reader).json(&new).send().await;
        assert!(text(&refused.problem(403, "scope_missing"), "detail").contains("domain:write"));
        app.post(&domains("me")).json(&new).send().await.problem(401, "credential_missing");
        let made = app.post(&domains("me")).bearer(&writer).json(&new).send().await.expect(201);
        let path = format!("{}/{}", domains(&org), made.id());
        assert_eq!(made.header("location"), Some(path.as_str()), "the location names the organization");
        app.get(&path).bearer(&reader).send().await.expect(200);
        app.get(&path).bearer(&trusted).send().await.problem(403, "scope_missing");

        // Before the proof as after it: a verification must not switch on what nobody with the right to it has.
        for proven in [false, true] {
            if proven {
                let wanted = &made.json()["verification"];
                app.dns.set(text(wanted, "record_name"), &[text(wanted, "record_value")]);
                app.post(&format!("{path}/verify")).bearer(&writer).send().await.expect(200);
            }
            for body in [json!({ "scim_enabled": true }), json!({ "connection_ids": [connection] })] {
                let refused = app.patch(&path).bearer(&writer).json(&body).send().await;
                assert!(text(&refused.problem(403, "scope_missing"), "detail").contains("trust"));
                app.patch(&path).bearer(&trusted).json(&body).send().await.expect(200);
                app.patch(&path).bearer(&writer).json(&body).send().await.expect(200);
            }
            let back = json!({ "scim_enabled": false, "connection_ids": [] });
            app.patch(&path).bearer(&writer).json(&back).send().await.problem(403, "scope_missing");
            app.patch(&path).bearer(&trusted).json(&back).send().await.expect(200);
            let jit = json!({ "jit_provisioning_enabled": !proven });
            app.patch(&path).bearer(&writer).json(&jit).send().await.expect(200);
        }
        app.delete(&path).bearer(&writer).send().await.expect(204);
        app.get(&path).bearer(&reader).send().await.problem(404, "not_found");
    }

    async fn what_belongs_to_another_tenant_is_not_there(app: TestApp) {
        let (own, other) = (app.organization("Acme").await, app.organization("Other").await);
        let own_domain = app.domain(&own, "acme.test").await;
        let theirs = app.domain(&other, "other.test").await;
        let body = json!({ "name": "Okta", "type": "okta" });
        let connections = format!("/api/v1/organizations/{other}/saml-connections");
        let connection = app.post(&connections).operator().json(&body).send().await.expect(201).id();
        let key = app.api_key(&own, &["domain:read", "domain:write", "trust"]).await;
        let missing = "dom_01h455vb4pex5vsknk084sn02q";
        // Everything about the answer but its request id.
        let bare = |answer: crate::support::app::Answer| {
            let mut problem = answer.problem(404, "not_found");
            for own in ["request_id", "instance"] {
                problem.as_object_mut().expect("an object").remove(own);
            }
            problem
        };
        for verb in ["", "/verify", "/renew"] {
            let mut answers = Vec::new();
            for path in [
                format!("{}/{theirs}{verb}", domains(&own)),
                format!("{}/{missing}{verb}", domains(&own)),
            ] {
                let call = if verb.is_empty() { app.get(&path) } else { app.post(&path) };
                answers.push(bare(call.bearer(&key).send().await));
            }
            assert_eq!(answers[0], answers[1]);
            let path = format!("{}/{theirs}{verb}", domains(&other));
            let call = if verb.is_empty() { app.get(&path) } else { app.post(&path) };
            bare(call.bearer(&key).send().await);
        }
        let path = format!("{}/{theirs}", domains(&own));
        bare(app.patch(&path).bearer(&key).json(&json!({ "scim_enabled": true })).send().await);
        bare(app.delete(&path).bearer(&key).send().await);
        bare(app.get(&domains(&other)).bearer(&key).send().await);
        // A connection of somebody else, and one that nobody has.
        let path = format!("{}/{own_domain}", domains(&own));
        let mut answers = Vec::new();
        for id in [connection.as_str(), "con_01h455vb4pex5vsknk084sn02q"] {
            let body = json!({ "connection_ids": [id] });
            let problem = app.patch(&path).bearer(&key).json(&body).send().await.problem(400, "invalid_request");
            answers.push(problem["errors"].clone());
        }
        assert_eq!(answers[0], answers[1]);
        // An id of another kind says so.
        let answer = app.get(&format!("{}/{own}", domains(&own))).bearer(&key).send().await;
        assert!(text(&answer.problem(404, "not_found"), "detail").contains("another kind"));
        assert_eq!(app.get(&domains(&other)).operator().send().await.json()["data"].as_array().map(Vec::len), Some(1));
    }

    async fn domains_are_listed_in_pages(app: TestApp) {
        let org = app.organization("Acme").await;
        for name in ["a.test", "b.test", "c.test"] {
            claim(&app, &org, name).await;
            app.clock.advance(Duration::from_secs(1));
        }
        let pages = [("limit", "2"), ("include_total", "true")];
        let first = app.get(&domains(&org)).operator().query(&pages).send().await.expect(200).json();
        assert_eq!((&first["data"][0]["name"], &first["data"][1]["name"], &first["total"]), (&json!("a.test"), &json!("b.test"), &json!(3)));
        let cursor = text(&first, "next_cursor").to_owned();
        let next = app.get(&domains(&org)).operator().query(&[("cursor", &cursor)]).send().await.expect(200).json();
        assert_eq!((&next["data"][0]["name"], next.get("next_cursor")), (&json!("c.test"), None));
        app.get(&domains(&org)).operator().query(&[("limit", "201")]).send().await.problem(400, "invalid_request");
    }

    async fn the_way_in_is_open_only_while_everything_stands(app: TestApp) {
        let way_in = async || {
            postern::service::discovery::ways_in(app.services(), "Acme.test.").await.expect("an answer")
        };
        let org = app.organization("Acme").await;
        let id = app.domain(&org, "acme.test").await;
        let path = format!("{}/{id}", domains(&org));
        assert_eq!(way_in().await, None, "no connection");
        let connections = format!("/api/v1/organizations/{org}/saml-connections");
        let body = super::connections::complete("Okta");
        let connection = app.post(&connections).operator().json(&body).send().await.expect(201).id();
        let assigned = json!({ "connection_ids": [connection] });
        app.patch(&path).operator().json(&assigned).send().await.expect(200);
        assert_eq!(way_in().await, None, "a draft");
        let activate = format!("{connections}/{connection}/activate");
        let open = async || {
            app.post(&activate).operator().json(&json!({ "skip_test": true })).send().await.expect(200);
            let found = way_in().await.expect("a way in");
            assert_eq!((found.organization.to_string(), found.ways[0].connection.to_string()), (org.clone(), connection.clone()));
        };
        open().await;
        app.post(&format!("{connections}/{connection}/deactivate")).operator().send().await.expect(200);
        assert_eq!(way_in().await, None, "at once");
        open().await;
        app.patch(&path).operator().json(&json!({ "connection_ids": [] })).send().await.expect(200);
        assert_eq!(way_in().await, None, "at once");
        app.patch(&path).operator().json(&assigned).send().await.expect(200);
        open().await;
        app.delete(&path).operator().send().await.expect(204);
        assert_eq!(way_in().await, None, "at once");
        // An unverified claim of the same name opens nothing, whatever is assigned to it.
        let (_, path) = claim(&app, &org, "acme.test").await;
        app.patch(&path).operator().json(&assigned).send().await.expect(200);
        assert_eq!(way_in().await, None, "not proven");
    }
}
