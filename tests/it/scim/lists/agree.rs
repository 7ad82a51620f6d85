//! The database's answer to a filter is that of the filter in memory, on random people and random filters; the order of
//! a list is total and its pages add up, whatever it is sorted by.

use postern::protocol::scim::filter::{Filter, Kind, Literal, Sort, fold};
use postern::protocol::scim::{GroupResource, ListQuery, Page, Paging, Projection, UserResource};
use postern::service::provisioning::groups::Groups;
use postern::service::provisioning::{self, Users};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{Tenant, context, push_all};
use crate::scim::ENTERPRISE;
use crate::support::app::on_both;

const PEOPLE: usize = 60;
const FILTERS: usize = 400;

/// Few letters, so that people and filters meet; some fold, some to more than one, some to ASCII.
fn text() -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec![
        "a", "A", "b", "k", "K", "\u{212a}", "i", "İ", "ü", "Ü", "σ", "ς", "Σ", "ж", "Ж", "é", "%", "_", "'",
        "\\", "?", "$1", "\"", "🙂", " ",
    ]);
    prop::collection::vec(letters, 1..4).prop_map(|letters| letters.concat())
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn person() -> impl Strategy<Value = Value> {
    let kind = || prop::option::of(prop::sample::select(vec!["work", "WORK", "home", "öffentlich"]));
    let email = (text(), kind(), maybe_text())
        .prop_map(|(value, kind, display)| json!({ "value": value, "type": kind, "display": display }));
    let emails = (prop::collection::vec(email, 0..4), prop::option::of(0_usize..4)).prop_map(
        |(mut emails, primary)| {
            if let Some(email) = primary.and_then(|at| emails.get_mut(at)) {
                email["primary"] = true.into();
            }
            emails
        },
    );
    let names = (maybe_text(), maybe_text(), maybe_text(), maybe_text());
    let rest = (maybe_text(), maybe_text(), maybe_text(), any::<bool>());
    let employer =
        (maybe_text(), maybe_text(), prop::option::of(prop::sample::select(vec!["m1", "M1", "m2"])));
    (text(), names, emails, rest, employer).prop_map(
        |(name, (given, family, formatted, display), emails, (title, nick, external, active), employer)| {
            let (department, number, manager) = employer;
            json!({
                "userName": name,
                "name": { "givenName": given, "familyName": family, "formatted": formatted },
                "displayName": display,
                "emails": emails,
                "title": title,
                "nickName": nick,
                "externalId": external,
                "active": active,
                ENTERPRISE: { "department": department, "employeeNumber": number, "manager": { "value": manager } },
            })
        },
    )
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![4 => text(), 1 => Just(String::new()), 1 => prop::sample::select(vec![
        "work", "m1", "User", "W/\"1\"", "2026-11-18T13:46:40.000001Z", ENTERPRISE, "http", "0", "1",
    ]).prop_map(str::to_owned)]
    .prop_map(|text| Value::from(text).to_string())
}

fn comparison() -> impl Strategy<Value = String> {
    let names = vec![
        "userName",
        "displayName",
        "name.givenName",
        "name.familyName",
        "name.formatted",
        "emails.value",
        "emails",
        "emails.type",
        "emails.display",
        "externalId",
        "title",
        "nickName",
        "department",
        "employeeNumber",
        "manager",
        "schemas",
        "meta.resourceType",
        "meta.version",
        "meta.location",
        "id",
        "phoneNumbers.value",
    ];
    let names = prop::sample::select(names);
    let times = prop::sample::select(vec!["meta.created", "meta.lastModified"]);
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let present = prop::sample::select(vec![
        "userName",
        "name",
        "emails",
        "emails.display",
        "manager",
        "schemas",
        "meta",
        "id",
        "active",
        "addresses",
        "title",
        "meta.created",
    ]);
    let inner = (prop::sample::select(vec!["value", "type", "display"]), operator.clone(), literal())
        .prop_map(|(name, operator, literal)| format!("{name} {operator} {literal}"));
    let inner = prop_oneof![
        inner,
        Just("primary eq true".to_owned()),
        Just("not (display pr)".to_owned()),
        Just("type eq null".to_owned())
    ];
    prop_oneof![
        6 => (names.clone(), operator.clone(), literal()).prop_map(|(n, o, l)| format!("{n} {o} {l}")),
        1 => (times, operator, prop::sample::select(vec![
            "2026-11-18T14:46:40.000020+01:00", "2026-11-18T13:46:40.0000205Z"]))
            .prop_map(|(n, o, l)| format!("{n} {o} \"{l}\"")),
        1 => present.prop_map(|name| format!("{name} pr")),
        1 => (names, prop::sample::select(vec!["eq", "ne"])).prop_map(|(name, o)| format!("{name} {o} null")),
        1 => (any::<bool>(), prop::sample::select(vec!["eq", "ne"])).prop_map(|(b, o)| format!("active {o} {b}")),
        2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("emails[{a} and {b}]")),
        1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("emails[{a} or not ({b})]")),
        1 => (inner, literal()).prop_map(|(a, b)| format!("emails[{a}].value sw {b}")),
        1 => literal().prop_map(|literal| format!("manager[value eq {literal}]")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    comparison().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" or "))),
            inner.prop_map(|term| format!("not ({term})")),
        ]
    })
}

fn runner() -> TestRunner {
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn some<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().expect("an id").to_owned()
}

/// Everybody who could be made: of two with one userName only the first can.
async fn people(acme: &Tenant<'_>, runner: &mut TestRunner) {
    acme.set("scim", &json!({ "foreign_addresses": "hold" })).await;
    let strategy = person();
    let mut names = BTreeSet::new();
    let mut people = Vec::new();
    while people.len() < PEOPLE {
        let person = some(&strategy, runner);
        let name = person["userName"].as_str().expect("a name");
        if !name.trim().is_empty() && names.insert(fold(name)) {
            people.push(person);
        }
    }
    push_all(acme, &people).await;
}

async fn listed(acme: &Tenant<'_>, query: &ListQuery) -> Page<Value> {
    let ctx = context(acme).await;
    let resource_type = UserResource::resource_type();
    let page = provisioning::list::<Users>(acme.app.services(), &ctx, resource_type, query).await;
    page.expect("a page").map(|resource| resource.whole)
}

async fn listed_groups(acme: &Tenant<'_>, filter: Option<&str>) -> Page<Value> {
    let ctx = context(acme).await;
    let resource_type = GroupResource::resource_type();
    let query = ListQuery {
        paging: Paging::Index(1),
        count: 200,
        filter: filter.map(|filter| Filter::parse(resource_type, filter).expect(filter)),
        sort: None,
        projection: Projection::default(),
    };
    let page = provisioning::list::<Groups>(acme.app.services(), &ctx, resource_type, &query).await;
    page.expect("a page").map(|resource| {
        let mut whole = resource.whole;
        if !resource.members.is_empty() {
            let member = |id: &uuid::Uuid| {
                json!({ "value": id.to_string(), "type": "User",
                "$ref": format!("{}/scim/v2/Users/{id}", acme.app.url) })
            };
            whole["members"] = resource.members.iter().map(member).collect();
        }
        whole
    })
}

/// Some groups with people in them.
async fn groups(acme: &Tenant<'_>, people: &[Value], runner: &mut TestRunner) -> Vec<String> {
    let strategy = (text(), prop::collection::btree_set(0..people.len(), 0..6), maybe_text());
    let mut ids = Vec::new();
    let mut names = BTreeSet::new();
    while ids.len() < 8 {
        let (name, members, external) = some(&strategy, runner);
        if name.trim().is_empty() || !names.insert(fold(&name)) {
            continue;
        }
        let members: Vec<Value> = members.into_iter().map(|n| json!({ "value": id(&people[n]) })).collect();
        let body = json!({ "displayName": name, "members": members, "externalId": external });
        ids.push(acme.send("POST", "/Groups", &body).send().await.expect(201).id());
    }
    ids
}

fn in_groups(groups: Vec<String>) -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(groups).prop_map(|id| format!("groups eq \"{id}\"")),
        text().prop_map(|name| format!("groups.display co {}", Value::from(name))),
        prop::sample::select(vec!["groups pr", "not (groups[type eq \"direct\"])", "groups.$ref co \"0\""])
            .prop_map(str::to_owned),
    ]
}

fn group_filter(people: &[Value]) -> impl Strategy<Value = String> {
    let person = || prop::sample::select(people.iter().map(id).chain(["x".to_owned()]).collect::<Vec<_>>());
    let operator = || prop::sample::select(vec!["eq", "ne", "co", "sw", "gt"]);
    let names =
        prop::sample::select(vec!["displayName", "externalId", "id", "meta.resourceType", "members.type"]);
    let term = prop_oneof![
        3 => (names, operator(), literal()).prop_map(|(n, o, l)| format!("{n} {o} {l}")),
        3 => (prop::sample::select(vec!["members", "members.value", "members.$ref"]), operator(), person())
            .prop_map(|(n, o, id)| format!("{n} {o} \"{id}\"")),
        1 => person().prop_map(|id| format!("members[value eq \"{id}\" and type eq \"User\"]")),
        1 => prop::sample::select(vec!["members pr", "externalId pr", "members eq null", "schemas co \"Group\""])
            .prop_map(str::to_owned),
    ];
    prop_oneof![
        2 => term.clone(),
        1 => (term.clone(), term.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
        1 => (term.clone(), term).prop_map(|(a, b)| format!("{a} or not ({b})")),
    ]
}

fn query(filter: Option<&str>, sort: Option<(&str, &str)>, paging: Paging, count: u64) -> ListQuery {
    let resource_type = UserResource::resource_type();
    ListQuery {
        paging,
        count,
        filter: filter.map(|filter| Filter::parse(resource_type, filter).expect(filter)),
        sort: sort.and_then(|(by, order)| Sort::parse(resource_type, Some(by), Some(order)).expect(by)),
        projection: Projection::default(),
    }
}

on_both! {
    async fn the_database_finds_what_memory_finds(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut runner = runner();
        people(&acme, &mut runner).await;
        let everybody = listed(&acme, &query(None, None, Paging::Index(1), 200)).await.resources;
        assert_eq!(everybody.len(), PEOPLE);
        let groups = groups(&acme, &everybody, &mut runner).await;
        let everybody = listed(&acme, &query(None, None, Paging::Index(1), 200)).await.resources;
        let strategy = prop_oneof![12 => filter(), 1 => in_groups(groups)];
        let mut matched = 0;
        for _ in 0..FILTERS {
            let text = some(&strategy, &mut runner);
            let parsed = Filter::parse(UserResource::resource_type(), &text).expect(&text);
            let expected: Vec<String> = everybody.iter().filter(|one| parsed.matches(one)).map(id).collect();
            let page = listed(&acme, &query(Some(&text), None, Paging::Index(1), 200)).await;
            let found: Vec<String> = page.resources.iter().map(id).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(page.total_results, expected.len() as u64, "{text}");
            matched += usize::from(!expected.is_empty() && expected.len() < PEOPLE);
        }
        assert!(matched > FILTERS / 4, "the filters must tell people apart: {matched}");
    }

    async fn the_database_finds_the_groups_that_memory_finds(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut runner = runner();
        people(&acme, &mut runner).await;
        let mut everybody = listed(&acme, &query(None, None, Paging::Index(1), 200)).await.resources;
        // Few, so that filters meet members.
        everybody.truncate(8);
        groups(&acme, &everybody, &mut runner).await;
        let all = listed_groups(&acme, None).await.resources;
        let strategy = group_filter(&everybody);
        let mut matched = 0;
        for _ in 0..FILTERS / 2 {
            let text = some(&strategy, &mut runner);
            let parsed = Filter::parse(GroupResource::resource_type(), &text).expect(&text);
            let expected: Vec<String> = all.iter().filter(|one| parsed.matches(one)).map(id).collect();
            let page = listed_groups(&acme, Some(&text)).await;
            assert_eq!(page.resources.iter().map(id).collect::<Vec<_>>(), expected, "{text}");
            assert_eq!(page.total_results, expected.len() as u64, "{text}");
            matched += usize::from(!expected.is_empty() && expected.len() < all.len());
        }
        assert!(matched > FILTERS / 10, "the filters must tell groups apart: {matched}");
    }

    async fn every_order_is_total_and_its_pages_add_up(app: TestApp) {
        let acme = Tenant::new(&app, "Acme", "acme.com").await;
        let mut runner = runner();
        people(&acme, &mut runner).await;
        let everybody = listed(&acme, &query(None, None, Paging::Index(1), 200)).await.resources;
        for by in ["userName", "displayName", "name.familyName", "title", "externalId", "active", "meta.created",
            "emails", "emails.display", "emails.primary", "department", "id", "meta.version"]
        {
            for order in ["ascending", "descending"] {
                let sort = Some((by, order));
                let whole = query(None, sort, Paging::Index(1), 200);
                let expected = in_order(&everybody, whole.sort.as_ref().expect("an order"));
                let found: Vec<String> = listed(&acme, &whole).await.resources.iter().map(id).collect();
                assert_eq!(found, expected, "{by} {order}");
                assert_eq!(walked_by_index(&acme, sort).await, expected, "{by} {order} by index");
                assert_eq!(walked_by_cursor(&acme, sort).await, expected, "{by} {order} by cursor");
            }
        }
    }
}

/// The ids in the order that is asked for, made in memory.
fn in_order(everybody: &[Value], sort: &Sort) -> Vec<String> {
    let mut keyed: Vec<(Option<String>, String)> = everybody
        .iter()
        .map(|one| {
            let list = &one[&sort.attribute.name];
            let primary = list.as_array().and_then(|all| all.iter().find(|one| one["primary"] == true));
            let of_primary = primary.zip(sort.attribute.sub.as_ref()).and_then(|(one, sub)| one.get(sub));
            let key =
                of_primary.or_else(|| sort.attribute.values(one).first().copied()).map(|value| match value {
                    Value::String(text) if sort.attribute.kind == Kind::DateTime => {
                        let moment = Literal::Text(text.clone()).moment().expect("a time");
                        format!("{moment:030}")
                    }
                    Value::String(text) if sort.attribute.case_exact => text.clone(),
                    Value::String(text) => fold(text),
                    other => other.to_string(),
                });
            (key, id(one))
        })
        .collect();
    keyed.sort_by(|(a, first), (b, second)| (a.is_none(), a, first).cmp(&(b.is_none(), b, second)));
    if sort.descending {
        keyed.reverse();
    }
    keyed.into_iter().map(|(_, id)| id).collect()
}

async fn walked_by_index(acme: &Tenant<'_>, sort: Option<(&str, &str)>) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = listed(acme, &query(None, sort, Paging::Index(found.len() as u64 + 1), 7)).await;
        assert_eq!(page.total_results, PEOPLE as u64);
        if page.resources.is_empty() {
            return found;
        }
        found.extend(page.resources.iter().map(id));
    }
}

/// Forward to the end; the way back must meet the same pages.
async fn walked_by_cursor(acme: &Tenant<'_>, sort: Option<(&str, &str)>) -> Vec<String> {
    let page = |cursor: String| Paging::Cursor { cursor, counted: true };
    let mut pages = Vec::new();
    let mut cursor = Some(String::new());
    let mut last = None;
    while let Some(next) = cursor {
        let got = listed(acme, &query(None, sort, page(next), 7)).await;
        assert_eq!(got.total_results, PEOPLE as u64);
        pages.push(got.resources.iter().map(id).collect::<Vec<_>>());
        (cursor, last) = (got.next_cursor, got.previous_cursor);
    }
    let mut back = pages.len() - 1;
    while let Some(previous) = last {
        let got = listed(acme, &query(None, sort, page(previous), 7)).await;
        back -= 1;
        assert_eq!(got.resources.iter().map(id).collect::<Vec<_>>(), pages[back]);
        assert!(got.next_cursor.is_some());
        last = got.previous_cursor;
    }
    assert_eq!(back, 0, "the way back ends at the first page");
    pages.concat()
}
