//! Many at once: one wins, the others are told, nothing breaks.

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;

use super::{BULK, Tenant, user};
use crate::support::app::{TestApp, on_both};
use crate::support::database::{Backend, Database};
use crate::support::postgres;

on_both! {
    async fn sixteen_equal_posts_make_one_user(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let body = user("jo@acme.com");
        let answers = join_all((0..16).map(|_| acme.post(&body).send())).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.scim_error(409, Some("uniqueness"));
        }
        assert_eq!(acme.get("/Users").send().await.expect(200).json()["totalResults"], 1);
        assert_eq!(acme.rest("members/count").await["count"], 1);
    }

    async fn sixteen_spellings_of_one_name_make_one_user_by_either_door(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        // An address, and a name beyond ASCII with an address of its own for each.
        for (round, name) in ["jo.doe@acme.com", "jö.großmann"].into_iter().enumerate() {
            let bodies: Vec<_> = (0..16).map(|n| {
                // Another letter is a capital each time.
                let spelled: String = name.char_indices().map(|(at, letter)| {
                    if (at + n) % 3 == 0 && letter != 'ß' { letter.to_uppercase().to_string() } else { letter.to_string() }
                }).collect();
                let mut body = user(&spelled);
                if round == 1 {
                    body["emails"][0]["value"] = json!(format!("p{n}@acme.com"));
                }
                body
            }).collect();
            let calls = bodies.iter().enumerate().map(|(n, body)| {
                if n % 2 == 0 {
                    acme.post(body).send()
                } else {
                    let operation = json!({ "method": "POST", "path": "/Users", "bulkId": "a", "data": body });
                    acme.send("POST", "/Bulk", &json!({ "schemas": [BULK], "Operations": [operation] })).send()
                }
            });
            let mut made = 0;
            for (n, answer) in join_all(calls).await.iter().enumerate() {
                let (status, error) = if n % 2 == 0 {
                    (answer.status.to_string(), answer.json())
                } else {
                    let one = answer.json()["Operations"][0].clone();
                    (one["status"].as_str().expect("a status").to_owned(), one["response"].clone())
                };
                match status.as_str() {
                    "201" => made += 1,
                    _ => assert_eq!((status.as_str(), &error["scimType"]), ("409", &json!("uniqueness")), "{answer:?}"),
                }
            }
            assert_eq!(made, 1, "{name}");
            assert_eq!(acme.get("/Users").send().await.expect(200).json()["totalResults"], round + 1);
            assert_eq!(acme.rest("members/count").await["count"], round + 1);
        }
    }

    async fn sixteen_names_for_one_person_make_one_member(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let bodies: Vec<_> = (0..16).map(|n| {
            let mut body = user(&format!("login{n}"));
            body["emails"][0]["value"] = json!("jo@acme.com");
            body
        }).collect();
        let answers = join_all(bodies.iter().map(|body| acme.post(body).send())).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.scim_error(409, Some("uniqueness"));
        }
        assert_eq!(acme.rest("members/count").await["count"], 1);
    }

    async fn whoever_is_in_the_way_of_newcomers_is_refused_alone(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        // Every other one wants the same userName, with an address of its own.
        let bodies: Vec<_> = (0..32).map(|n| {
            let address = format!("p{n}@acme.com");
            let mut body = user(if n % 2 == 0 { "wanted" } else { &address });
            body["emails"][0]["value"] = json!(address);
            body
        }).collect();
        let answers = join_all(bodies.iter().map(|body| acme.post(body).send())).await;
        let (mut made, mut refused) = (0, 0);
        for (n, answer) in answers.iter().enumerate() {
            if n % 2 == 1 || answer.status == 201 {
                assert_eq!(answer.status, 201, "{answer:?}");
                let member = acme.member(&format!("p{n}@acme.com")).await.expect("a member");
                assert_eq!(member["status"], "active");
                made += 1;
            } else {
                answer.scim_error(409, Some("uniqueness"));
                assert!(acme.member(&format!("p{n}@acme.com")).await.is_none(), "nothing of it is left");
                refused += 1;
            }
        }
        assert_eq!((made, refused), (17, 15));
        assert_eq!(acme.get("/Users?count=1").send().await.expect(200).json()["totalResults"], 17);
        assert_eq!(acme.rest("members/count").await["count"], 17);
    }

    async fn people_asked_for_at_once_are_each_found_in_their_own_directory(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let other = Tenant::new(&app, "Other", "other.com").await;
        let mut ids = Vec::new();
        for n in 0..8 {
            ids.push(acme.user(&format!("p{n}@acme.com")).await);
        }
        let twin = json!({ "schemas": [super::USER], "userName": "twin", "emails": [{ "value": "twin@other.com", "primary": true }] });
        let twins_id = other.post(&twin).send().await.expect(201).id();
        acme.group("Team", &[&ids[3], &ids[4]]).await;
        // Each twice in another case, some without their groups, some who are not there, some of elsewhere.
        let names: Vec<String> = (0..12).flat_map(|n| [format!("p{n}@acme.com"), format!("P{n}@Acme.COM")]).collect();
        let ask = |tenant: &Tenant<'_>, name: &str, more: (&str, &str)| {
            tenant.get("/Users").query(&[("filter", &format!("userName eq \"{name}\"")), (more.0, more.1)]).send()
        };
        let whole = names.iter().map(|name| ask(&acme, name, ("count", "5")));
        let bare = names.iter().map(|name| ask(&acme, name, ("excludedAttributes", "groups")));
        let foreign = (0..6).map(|_| ask(&acme, "twin", ("count", "5")));
        let own = (0..6).map(|_| ask(&other, "twin", ("count", "5")));
        let (whole, bare, foreign, own) =
            tokio::join!(join_all(whole), join_all(bare), join_all(foreign), join_all(own));
        for (with_groups, answers) in [(true, whole), (false, bare)] {
            for (at, answer) in answers.into_iter().enumerate() {
                let (number, found) = (at / 2, answer.expect(200).json());
                assert_eq!(found["totalResults"], i32::from(number < 8), "{}", names[at]);
                if number < 8 {
                    assert_eq!(found["Resources"][0]["id"], ids[number].as_str());
                    let group = &found["Resources"][0]["groups"][0]["display"];
                    assert_eq!(group == "Team", with_groups && [3, 4].contains(&number), "{found}");
                }
            }
        }
        for (answers, ids) in [(foreign, vec![]), (own, vec![twins_id.as_str()])] {
            for answer in answers {
                let found = answer.expect(200).json();
                let resources = found["Resources"].as_array().into_iter().flatten();
                assert_eq!(resources.map(|one| one["id"].as_str().expect("an id")).collect::<Vec<_>>(), ids);
            }
        }
    }

    async fn people_pushed_while_rest_adds_them(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let path = format!("/api/v1/organizations/{}/members", acme.org);
        for n in 0..8 {
            let address = format!("jo{n}@acme.com");
            let (by_hand, person) = (json!({ "email": address }), user(&address));
            let rest = app.post(&path).operator().json(&by_hand).send();
            let (pushed, added) = tokio::join!(acme.post(&person).send(), rest);
            pushed.expect(201);
            assert!(matches!(added.status, 201 | 409), "{added:?}");
            assert_eq!(acme.member(&address).await.expect("one member")["status"], "active");
        }
    }

    async fn changes_of_one_user_follow_each_other(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let id = acme.user("jo@acme.com").await;
        let operations: Vec<_> = (0..16)
            .map(|n| json!([{ "op": "add", "path": "phoneNumbers", "value": [{ "value": format!("{n}"), "type": format!("t{n}") }] }]))
            .collect();
        for answer in join_all(operations.iter().map(|o| acme.patch(&id, o).send())).await {
            answer.expect(200);
        }
        let user = acme.get(&format!("/Users/{id}")).send().await.expect(200).json();
        assert_eq!(user["phoneNumbers"].as_array().expect("numbers").len(), 16, "none is lost");
    }
}

/// On PostgreSQL, which has a lock for each row; SQLite has one writer whatever is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_for_one_group_hold_up_nobody_else() {
    let database = Database::migrated(Backend::Postgres).await;
    let outside = postgres::connect(database.url().to_owned()).await;
    let app = TestApp::on(database).await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let globex = Tenant::new(&app, "Globex", "globex.com").await;
    let jo = acme.user("jo@acme.com").await;
    let group = acme.group("Team", &[]).await;
    let held = outside.begin().await.expect("a transaction");
    held.execute_unprepared("SELECT id FROM directory_groups FOR UPDATE").await.expect("locked");
    // More of them than there are connections.
    let adds: Vec<_> = (0..12)
        .map(|n| match n % 2 {
            0 => json!([{ "op": "add", "path": "members", "value": [{ "value": jo }] }]),
            _ => json!([{ "op": "replace", "path": "displayName", "value": format!("Team {n}") }]),
        })
        .collect();
    let waiting = join_all(adds.iter().map(|operations| acme.patch_group(&group, operations).send()));
    let others = async {
        for n in 0..20 {
            globex.user(&format!("p{n}@globex.com")).await;
        }
        held.rollback().await.expect("let go");
    };
    let (answers, ()) = tokio::join!(waiting, others);
    for answer in answers {
        answer.expect(200);
    }
    assert_eq!(acme.members_of(&group).await, [jo]);
    outside.close().await.expect("closed");
}

/// The same of one user: however many changes of it come at once, they take up one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_for_one_user_hold_up_nobody_else() {
    let database = Database::migrated(Backend::Postgres).await;
    let outside = postgres::connect(database.url().to_owned()).await;
    let app = TestApp::builder()
        .database(database)
        .config("[scim]\nrate_per_second = 1000\nburst = 1000")
        .start()
        .await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let globex = Tenant::new(&app, "Globex", "globex.com").await;
    let jo = acme.user("jo@acme.com").await;
    let held = outside.begin().await.expect("a transaction");
    held.execute_unprepared("SELECT id FROM directory_users FOR UPDATE").await.expect("locked");
    let changes: Vec<_> = (0..64)
        .map(|n| json!([{ "op": "replace", "path": "title", "value": format!("Title {n}") }]))
        .collect();
    let waiting = join_all(changes.iter().map(|operations| acme.patch(&jo, operations).send()));
    let others = async {
        for n in 0..20 {
            globex.user(&format!("p{n}@globex.com")).await;
        }
        held.rollback().await.expect("let go");
    };
    let (answers, ()) = tokio::join!(waiting, others);
    for answer in answers {
        answer.expect(200);
    }
    let user = acme.get(&format!("/Users/{jo}")).send().await.expect(200).json();
    assert!(user["title"].as_str().is_some_and(|title| title.starts_with("Title ")), "{user}");
    outside.close().await.expect("closed");
}
