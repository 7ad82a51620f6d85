//! Lists: paging and filters, with right totals whether an index serves them or not.

use std::sync::Arc;
use std::time::Duration;

use postern::protocol::scim::{Conformance, UserResource};
use postern::service::{Ctx, provisioning, scim_credentials};
use serde_json::{Value, json};

use super::{LIST, Tenant, user};
use crate::support::app::{TestApp, on_both};

mod agree;
mod cursors;

/// Who the tenant's token is, for what goes past the door, which would limit the rate.
async fn context(tenant: &Tenant<'_>) -> Ctx {
    let services = tenant.app.services();
    let now = services.clock.now();
    let known = scim_credentials::scim_token(services, &tenant.token, now).await.expect("the token");
    Ctx { actor: known.actor(), now, request_id: Arc::from("test"), ip: None }
}

/// Pushes users past the door, a microsecond after each other; gives their ids.
async fn push_all(tenant: &Tenant<'_>, people: &[Value]) -> Vec<String> {
    let mut ctx = context(tenant).await;
    let mut ids = Vec::with_capacity(people.len());
    for person in people {
        let resource = UserResource::parse(person, Conformance::Tolerant).expect("a user");
        let row = provisioning::create(tenant.app.services(), &ctx, &resource).await.expect("created");
        ids.push(row.id.uuid().to_string());
        ctx.now = ctx.now.plus(Duration::from_micros(1));
    }
    ids
}

/// Pushes many users; gives their ids.
pub(super) async fn push(tenant: &Tenant<'_>, number: usize) -> Vec<String> {
    let people: Vec<Value> = (0..number)
        .map(|n| {
            let mut body = user(&format!("person{n}@acme.com"));
            body["externalId"] = json!(format!("ext-{n}"));
            body["title"] = json!(if n % 3 == 0 { "Engineer" } else { "Manager" });
            body
        })
        .collect();
    push_all(tenant, &people).await
}

on_both! {
    async fn pages_add_up(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let empty = acme.get("/Users").send().await.expect(200).json();
        assert_eq!(empty, json!({ "schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [] }));
        push(&acme, 23).await;
        let mut seen = Vec::new();
        for start in [1, 11, 21, 31] {
            let page = acme.get(&format!("/Users?startIndex={start}&count=10")).send().await.expect(200).json();
            assert_eq!(page["totalResults"], 23);
            assert_eq!(page["startIndex"], start);
            let resources = page["Resources"].as_array().expect("resources").clone();
            assert_eq!(page["itemsPerPage"], resources.len());
            seen.extend(resources.into_iter().map(|r| r["userName"].as_str().expect("a name").to_owned()));
        }
        let expected: Vec<String> = (0..23).map(|n| format!("person{n}@acme.com")).collect();
        seen.sort_unstable();
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        assert_eq!(seen, sorted, "each once");
        let none = acme.get("/Users?count=0").send().await.expect(200).json();
        assert_eq!((&none["totalResults"], &none["itemsPerPage"]), (&json!(23), &json!(0)));
        let low = acme.get("/Users?startIndex=-3&count=2").send().await.expect(200).json();
        assert_eq!((&low["startIndex"], &low["itemsPerPage"]), (&json!(1), &json!(2)));
    }

    async fn filters_find_the_same_with_and_without_an_index(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        push(&acme, 12).await;
        let one = acme.get("/Users?filter=userName%20eq%20%22PERSON7@acme.com%22").send().await.expect(200).json();
        assert_eq!(one["totalResults"], 1);
        let id = one["Resources"][0]["id"].as_str().expect("an id").to_owned();
        for (filter, total) in [
            ("userName eq \"person7@ACME.com\"".to_owned(), 1),
            ("userName eq \"nobody@acme.com\"".to_owned(), 0),
            ("externalId eq \"ext-7\"".to_owned(), 1),
            ("externalId eq \"EXT-7\"".to_owned(), 0),
            (format!("id eq \"{id}\""), 1),
            (format!("id eq \"{}\"", id.to_uppercase()), 0),
            ("id eq \"nonsense\"".to_owned(), 0),
            (format!("id eq \"{id}\" and manager eq \"x\""), 0),
            (format!("id eq \"{id}\" and title eq \"manager\""), 1),
            ("externalId eq \"ext-7\" and userName sw \"person\"".to_owned(), 1),
            ("emails[type eq \"work\"].value eq \"person7@acme.com\"".to_owned(), 1),
            ("title eq \"engineer\"".to_owned(), 4),
            ("not (title eq \"engineer\") and active eq true".to_owned(), 8),
            ("userName eq \"person1@acme.com\" or userName eq \"person2@acme.com\"".to_owned(), 2),
            ("meta.created gt \"2001-01-01T00:00:00Z\"".to_owned(), 12),
        ] {
            let list = acme.get("/Users").query(&[("filter", &filter)]).send().await.expect(200).json();
            assert_eq!(list["totalResults"], total, "{filter}");
            assert_eq!(list["itemsPerPage"], total, "{filter}");
        }
        let page = acme.get("/Users").query(&[("filter", "title eq \"engineer\""), ("startIndex", "2"), ("count", "2")]);
        let page = page.send().await.expect(200).json();
        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(4), &json!(2)));
        let beyond = acme.get("/Users").query(&[("filter", "userName eq \"person1@acme.com\""), ("startIndex", "2")]);
        let beyond = beyond.send().await.expect(200).json();
        assert_eq!((&beyond["totalResults"], &beyond["itemsPerPage"]), (&json!(1), &json!(0)));
        let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": "title eq \"engineer\"", "count": 1, "attributes": ["userName"] });
        let found = app.post("/scim/v2/Users/.search").bearer(&acme.token).scim(&search).send().await.expect(200).json();
        assert_eq!((&found["totalResults"], &found["itemsPerPage"]), (&json!(4), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_beyond_all_bounds_is_refused() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    push(&acme, 2).await;
    let nested = format!("{}active eq true{}", "(".repeat(2_000), ")".repeat(2_000));
    let long = format!("userName eq \"{}\"", "a".repeat(10_000));
    let many = vec!["title eq \"x\""; 300].join(" or ");
    for filter in [nested, long, many] {
        acme.get("/Users").query(&[("filter", &filter)]).send().await.scim_error(400, Some("invalidFilter"));
    }
    // As much as is read must also be answered.
    let greek: String = (0x3b1..0x3c9).chain(0x430..0x450).filter_map(char::from_u32).collect();
    let terms = vec!["nickName eq \"x\""; 200].join(" and ");
    for filter in [
        format!("title co \"{}\"", greek.repeat(20)),
        format!("{}active eq true{}", "not (".repeat(60), ")".repeat(60)),
        format!("emails[{}]", terms.replace("nickName", "display")),
        terms,
    ] {
        acme.get("/Users").query(&[("filter", &filter)]).send().await.expect(200);
    }
    for (name, value) in [("startIndex", "x"), ("count", "1e3"), ("sortOrder", "up"), ("count", "")] {
        acme.get("/Users").query(&[(name, value)]).send().await.scim_error(400, Some("invalidValue"));
    }
    acme.get("/Users?sortBy=nope").send().await.scim_error(400, Some("invalidPath"));
    let far = [("startIndex", "9223372036854775807"), ("count", "99999999999999999999")];
    let far = acme.get("/Users").query(&far).send().await.expect(200).json();
    assert_eq!((&far["totalResults"], &far["itemsPerPage"]), (&json!(2), &json!(0)));
}

on_both! {
    async fn totals_stay_right_whether_counted_once_or_again(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let total = async || {
            let page = acme.get("/Users?count=1").send().await.expect(200).json();
            page["totalResults"].as_u64().expect("a number")
        };
        let ids = push(&acme, 1_010).await;
        app.clock.advance(Duration::from_mins(1));
        assert_eq!(total().await, 1_010);
        assert_eq!(total().await, 1_010, "now by what was counted");
        for id in &ids[..3] {
            acme.delete(id).send().await.expect(204);
        }
        assert_eq!(total().await, 1_007);
        let late = acme.user("late@acme.com").await;
        let later = acme.user("later@acme.com").await;
        assert_eq!(total().await, 1_009);
        acme.delete(&late).send().await.expect(204);
        assert_eq!(total().await, 1_008);
        // Counted anew, with people on both sides of the border and a departure of each.
        app.clock.advance(Duration::from_mins(11));
        assert_eq!(total().await, 1_008);
        assert_eq!(total().await, 1_008);
        for id in [&later, &ids[9]] {
            acme.delete(id).send().await.expect(204);
        }
        assert_eq!(total().await, 1_006);
        let globex = Tenant::new(&app, "Globex", "globex.com").await;
        globex.user("jo@globex.com").await;
        assert_eq!(globex.get("/Users?count=0").send().await.expect(200).json()["totalResults"], 1);
        assert_eq!(total().await, 1_006);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_are_right_beyond_one_chunk() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.com").await;
    push(&acme, 620).await;
    let query = [("filter", "title eq \"Engineer\""), ("startIndex", "201"), ("count", "100")];
    let page = acme.get("/Users").query(&query).send().await.expect(200).json();
    assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(207), &json!(7)));
    let most = acme.get("/Users?count=5000").send().await.expect(200).json();
    assert_eq!((&most["totalResults"], &most["itemsPerPage"]), (&json!(620), &json!(200)));
}
