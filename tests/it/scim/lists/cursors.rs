//! Pages by cursor (RFC 9865) and by index while people come and go.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Tenant, push};
use crate::support::app::{Answer, TestApp, on_both};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

fn names(page: &Value) -> Vec<String> {
    let resources = page["Resources"].as_array().expect("resources");
    resources.iter().map(|one| one["userName"].as_str().expect("a name").to_owned()).collect()
}

async fn asked(tenant: &Tenant<'_>, query: &[(&str, &str)]) -> Answer {
    tenant.get("/Users").query(query).send().await
}

async fn page(tenant: &Tenant<'_>, query: &[(&str, &str)]) -> Value {
    asked(tenant, query).await.expect(200).json()
}

fn cursor<'p>(page: &'p Value, name: &str) -> &'p str {
    page[name].as_str().unwrap_or_else(|| panic!("no {name} in {page}"))
}

on_both! {
    async fn a_walk_by_cursor_meets_everybody_once_and_finds_back(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 25).await;
        let first = page(&acme, &[("cursor", ""), ("count", "10")]).await;
        assert_eq!((&first["totalResults"], &first["itemsPerPage"]), (&json!(25), &json!(10)));
        assert!(first.get("startIndex").is_none() && first.get("previousCursor").is_none());
        let next = cursor(&first, "nextCursor");
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)), "{next}");
        let second = page(&acme, &[("cursor", next), ("count", "10")]).await;
        // What a client leaves out is as it was.
        let third = page(&acme, &[("cursor", cursor(&second, "nextCursor"))]).await;
        assert_eq!(third["itemsPerPage"], 5);
        assert!(third.get("nextCursor").is_none());
        let mut seen = [names(&first), names(&second), names(&third)].concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 25);
        let back = page(&acme, &[("cursor", cursor(&third, "previousCursor")), ("count", "10")]).await;
        assert_eq!(names(&back), names(&second));
        let start = page(&acme, &[("cursor", cursor(&back, "previousCursor")), ("count", "10")]).await;
        assert_eq!(names(&start), names(&first));
        assert!(start.get("previousCursor").is_none());

        let filtered = [("filter", "title eq \"manager\""), ("sortBy", "userName"), ("count", "9")];
        let one = page(&acme, &[&filtered[..], &[("cursor", "")]].concat()).await;
        let two = page(&acme, &[&filtered[..], &[("cursor", cursor(&one, "nextCursor"))]].concat()).await;
        assert_eq!((&one["totalResults"], &two["totalResults"]), (&json!(16), &json!(16)));
        let mut sorted = [names(&one), names(&two)].concat();
        assert!(sorted.is_sorted());
        sorted.dedup();
        assert_eq!(sorted.len(), 16);
        let lone = page(&acme, &[("cursor", ""), ("filter", "userName eq \"person3@acme.com\"")]).await;
        assert_eq!(lone["totalResults"], 1);
        assert!(lone.get("nextCursor").is_none() && lone.get("startIndex").is_none());
    }

    async fn a_search_takes_cursors_too(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 5).await;
        let search = async |cursor: &str| {
            let body = json!({ "schemas": [SEARCH], "cursor": cursor, "count": 3, "sortBy": "userName",
                "sortOrder": "descending", "attributes": ["userName"] });
            app.post("/scim/v2/Users/.search").bearer(&acme.token).scim(&body).send().await.expect(200).json()
        };
        let first = search("").await;
        let second = search(cursor(&first, "nextCursor")).await;
        let seen = [names(&first), names(&second)].concat();
        let expected: Vec<String> = (0..5).rev().map(|n| format!("person{n}@acme.com")).collect();
        assert_eq!(seen, expected);
        assert!(first["Resources"][0].get("emails").is_none());
    }

    async fn a_search_over_all_types_goes_from_users_to_groups_and_back(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 5).await;
        for n in 0..4 {
            acme.group(&format!("Group {n}"), &[]).await;
        }
        let search = async |parameters: Value| {
            let mut body = json!({ "schemas": [SEARCH], "count": 4 });
            body.as_object_mut().expect("an object").extend(parameters.as_object().expect("an object").clone());
            app.post("/scim/v2/.search").bearer(&acme.token).scim(&body).send().await
        };
        let kinds = |page: &Value| -> Vec<String> {
            let resources = page["Resources"].as_array().expect("resources");
            resources.iter().map(|one| one["meta"]["resourceType"].as_str().expect("a type").to_owned()).collect()
        };
        let mut pages = Vec::new();
        let mut next = Some(String::new());
        while let Some(cursor) = next {
            let page = search(json!({ "cursor": cursor })).await.expect(200).json();
            assert_eq!(page["totalResults"], 9);
            next = page["nextCursor"].as_str().map(str::to_owned);
            pages.push(page);
        }
        assert_eq!(pages.len(), 3);
        assert_eq!(kinds(&pages[1]), ["User", "Group", "Group", "Group"]);
        let back = search(json!({ "cursor": cursor(&pages[2], "previousCursor") })).await.expect(200).json();
        assert_eq!(back["Resources"], pages[1]["Resources"]);
        let second = search(json!({ "startIndex": 5 })).await.expect(200).json();
        assert_eq!(second["Resources"], pages[1]["Resources"]);
        let jump = search(json!({ "startIndex": 7 })).await.expect(200).json();
        assert_eq!((kinds(&jump), &jump["totalResults"]), (vec!["Group".to_owned(); 3], &json!(9)));

        let sorted = search(json!({ "sortBy": "displayName", "sortOrder": "descending", "startIndex": 6 })).await;
        assert_eq!(sorted.expect(200).json()["Resources"][0]["displayName"], "Group 3");
        let named = search(json!({ "sortBy": "userName", "sortOrder": "descending" })).await.expect(200).json();
        assert_eq!((&named["Resources"][0]["userName"], &named["totalResults"]), (&json!("person4@acme.com"), &json!(9)));
        let some = search(json!({ "filter": "userName eq \"person1@acme.com\"" })).await.expect(200).json();
        assert_eq!(some["totalResults"], 1);
        let some = search(json!({ "filter": "displayName eq \"group 2\"" })).await.expect(200).json();
        assert_eq!((kinds(&some), &some["totalResults"]), (vec!["Group".to_owned()], &json!(1)));
        search(json!({ "sortBy": "nope" })).await.scim_error(400, Some("invalidPath"));
        search(json!({ "filter": "nope pr" })).await.scim_error(400, Some("invalidFilter"));
        let other = json!({ "cursor": cursor(&pages[0], "nextCursor"), "sortBy": "userName" });
        search(other).await.scim_error(400, Some("invalidCursor"));
    }

    async fn a_cursor_works_for_nothing_else(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 6).await;
        let first = page(&acme, &[("cursor", ""), ("count", "2")]).await;
        let next = cursor(&first, "nextCursor").to_owned();
        let globex = Tenant::new(&app, "Globex", "globex.com").await;
        asked(&globex, &[("cursor", &next), ("count", "2")]).await.scim_error(400, Some("invalidCursor"));
        for other in [("filter", "active eq true"), ("sortBy", "userName")] {
            asked(&acme, &[("cursor", &next), ("count", "2"), other]).await.scim_error(400, Some("invalidCursor"));
        }
        let mut changed = next.clone();
        changed.replace_range(20..21, if &next[20..21] == "A" { "B" } else { "A" });
        for wrong in [changed.as_str(), "x", "%", "é", &"A".repeat(5_000), "eyJvZmZzZXQiOjEwMH0"] {
            asked(&acme, &[("cursor", wrong), ("count", "2")]).await.scim_error(400, Some("invalidCursor"));
        }
        let only = [("cursor", next.as_str()), ("filter", "userName eq \"person3@acme.com\"")];
        asked(&acme, &only).await.scim_error(400, Some("invalidCursor"));
        asked(&acme, &[("cursor", &next), ("count", "3")]).await.scim_error(400, Some("invalidCount"));
        for count in ["0", "-1", "x"] {
            asked(&acme, &[("cursor", ""), ("count", count)]).await.scim_error(400, Some("invalidCount"));
        }
        app.clock.advance(Duration::from_secs(3_500));
        page(&acme, &[("cursor", &next), ("count", "2")]).await;
        app.clock.advance(Duration::from_secs(200));
        asked(&acme, &[("cursor", &next), ("count", "2")]).await.scim_error(400, Some("expiredCursor"));
    }

    async fn nobody_is_missed_when_others_leave_during_a_walk(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 12).await;
        let first = page(&acme, &[("startIndex", "1"), ("count", "4")]).await;
        let gone = first["Resources"][1]["id"].as_str().expect("an id").to_owned();
        acme.delete(&gone).send().await.expect(204);
        let mut seen = names(&first);
        for start in ["5", "9"] {
            seen.extend(names(&page(&acme, &[("startIndex", start), ("count", "4")]).await));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 12, "everybody once, also the one who left after being seen");
        // Somebody who begins anew has the list as it is now.
        let mut seen = Vec::new();
        for start in ["1", "5", "9"] {
            seen.extend(names(&page(&acme, &[("startIndex", start), ("count", "4")]).await));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 11);
        let far = page(&acme, &[("startIndex", "11"), ("count", "4")]).await;
        assert_eq!((&far["totalResults"], &far["itemsPerPage"]), (&json!(11), &json!(1)));
        let beyond = page(&acme, &[("startIndex", "12"), ("count", "4")]).await;
        assert_eq!((&beyond["totalResults"], &beyond["itemsPerPage"]), (&json!(11), &json!(0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_offered_is_told() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    let config = acme.get("/ServiceProviderConfig").send().await.expect(200).json();
    assert_eq!(config["sort"], json!({ "supported": true }));
    assert_eq!(
        config["pagination"],
        json!({ "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
            "maxPageSize": 200, "cursorTimeout": 3600 })
    );
}
