//! Bulk: the envelope, what each operation is refused for, and that the order of the operations does not matter.
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::ScimType;
use super::super::bulk::{BulkRequest, Course, Kind, Method, Operation, Step};
use super::*;

fn bulk(operations: Value) -> Result<BulkRequest, ScimError> {
    let body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    BulkRequest::parse(&body, 1_000, Conformance::Tolerant)
}

/// A store that keeps what it is given, and refuses whose name is in a list.
#[derive(Debug, Default)]
struct Fake {
    refuses: BTreeSet<String>,
    /// By id: what it is and what it says.
    kept: BTreeMap<String, Value>,
    /// The bulkId behind an id.
    names: HashMap<String, String>,
    next: usize,
    /// By index: whether it was done.
    done: BTreeMap<usize, Result<(), ScimError>>,
    ran: Vec<usize>,
}

impl Fake {
    fn run(mut self, request: BulkRequest) -> Self {
        let mut course = Course::new(request);
        loop {
            let next = &mut self.next;
            let step = course.next(|| {
                *next += 1;
                format!("id{next}")
            });
            match step {
                None => return self,
                Some(Step::Refused(refused)) => {
                    self.done.extend(refused.into_iter().map(|(index, error)| (index, Err(error))));
                }
                Some(Step::Run(ready)) => {
                    let fine = ready.iter().all(|part| !self.is_refused(&part.operation));
                    for part in ready {
                        self.ran.push(part.index);
                        let bulk_id = course.entries()[part.index].bulk_id.clone();
                        let outcome =
                            if fine { Ok(self.carry_out(part.operation, part.id, bulk_id)) } else { Err(()) };
                        let told = outcome.as_ref().map(|_| ()).map_err(|()| ScimError::new(409, "refused"));
                        self.done.insert(part.index, told);
                        course.note(part.index, outcome);
                    }
                }
            }
        }
    }

    fn is_refused(&self, operation: &Operation) -> bool {
        ["userName", "displayName"]
            .iter()
            .any(|name| operation.data[*name].as_str().is_some_and(|name| self.refuses.contains(name)))
    }

    fn carry_out(
        &mut self,
        operation: Operation,
        id: Option<String>,
        bulk_id: Option<String>,
    ) -> Option<String> {
        assert!(!operation.data.to_string().contains("bulkId:"), "resolved: {}", operation.data);
        if operation.method != Method::Post {
            let id = operation.id().expect("resolved").to_owned();
            if operation.method == Method::Delete {
                self.kept.remove(&id);
            } else {
                self.kept.get_mut(&id).expect("made before")["patched"] = operation.data;
            }
            return None;
        }
        let id = id.unwrap_or_else(|| {
            self.next += 1;
            format!("id{}", self.next)
        });
        self.names.insert(id.clone(), bulk_id.expect("a POST has one"));
        self.kept.insert(id.clone(), operation.data);
        Some(id)
    }

    /// Everything that is kept, by bulkId, with bulkIds for ids: the same for every order.
    fn by_name(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| {
            let mut text = value.to_string();
            // The longest first, because one id may begin with another.
            let mut ids: Vec<_> = self.names.iter().collect();
            ids.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
            for (id, name) in ids {
                text = text.replace(&format!("\"{id}\""), &format!("\"<{name}>\""));
                text = text.replace(&format!("\\\"{id}\\\""), &format!("<{name}>"));
            }
            text
        };
        self.kept.iter().map(|(id, value)| (self.names[id].clone(), text(value))).collect()
    }

    fn status(&self, index: usize) -> u16 {
        self.done[&index].as_ref().map_or_else(|error| error.status, |()| 200)
    }
}

fn post_user(name: &str, manager: Option<&str>) -> Value {
    let mut data = json!({ "schemas": [CORE], "userName": name });
    if let Some(manager) = manager {
        data[ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{manager}") } });
    }
    json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": data })
}

fn post_group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": format!("bulkId:{id}") })).collect();
    let data = json!({ "displayName": name, "members": members });
    json!({ "method": "POST", "path": "/Groups", "bulkId": name, "data": data })
}

#[test]
fn the_envelope_is_checked_as_a_whole() {
    let parse = |body: &Value, conformance| BulkRequest::parse(body, 2, conformance);
    let refused = |body: Value| {
        let error = parse(&body, Conformance::Tolerant).unwrap_err();
        (error.status, error.scim_type.map(ScimType::as_str))
    };
    for body in
        [json!([]), json!({}), json!({ "Operations": {} }), json!({ "Operations": [], "schemas": [CORE] })]
    {
        assert_eq!(refused(body), (400, Some("invalidSyntax")));
    }
    for number in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        assert_eq!(refused(json!({ "Operations": [], "failOnErrors": number })), (400, Some("invalidValue")));
    }
    let error = parse(&json!({ "Operations": [{}, {}, {}] }), Conformance::Tolerant).unwrap_err();
    assert_eq!(error.status, 413);
    assert!(error.detail.contains("maxOperations of 2"), "{}", error.detail);
    assert!(parse(&json!({ "operations": [{}, {}] }), Conformance::Tolerant).is_ok());
    assert!(parse(&json!({ "Operations": [] }), Conformance::Profile).is_err());
}

#[test]
fn what_is_wrong_with_an_operation_is_its_own() {
    let good = json!({ "method": "post", "path": "Users/", "bulkId": "a", "data": { "userName": "a" } });
    let wrong = [
        json!(1),
        json!({}),
        json!({ "method": "GET", "path": "/Users/1" }),
        json!({ "method": 5, "path": "/Users/1" }),
        json!({ "method": "POST", "path": "/Users", "data": {} }),
        json!({ "method": "POST", "path": "/Users", "bulkId": 7, "data": {} }),
        json!({ "method": "POST", "path": "/Users", "bulkId": "", "data": {} }),
        json!({ "method": "POST", "path": "/Users", "bulkId": "b" }),
        json!({ "method": "POST", "path": "/Users", "bulkId": "c", "data": [] }),
        json!({ "method": "POST", "path": "/Users/1", "bulkId": "d", "data": {} }),
        json!({ "method": "POST", "path": "/Users/.search", "bulkId": "d2", "data": {} }),
        json!({ "method": "PUT", "path": "/Users/.search", "data": {} }),
        json!({ "method": "PUT", "path": "/Users", "data": {} }),
        json!({ "method": "PUT", "path": "/users/1", "data": {} }),
        json!({ "method": "PATCH", "path": "/Me", "data": {} }),
        json!({ "method": "DELETE", "path": "/Users/1/x" }),
        json!({ "method": "DELETE", "path": "https://gate.example/scim/v2/Users/1" }),
        json!({ "method": "DELETE" }),
        json!({ "method": "DELETE", "path": "/Users/1", "version": 5 }),
        json!({ "method": "DELETE", "path": "/Users/1", "METHOD": "PUT" }),
        json!({ "method": "DELETE", "path": "/Users/bulkId:nobody" }),
        json!({ "method": "DELETE", "path": "/Groups/bulkId:a" }),
    ];
    let mut operations = wrong.to_vec();
    operations.push(good);
    let fake = Fake::default().run(bulk(operations.into()).unwrap());
    for (index, sent) in wrong.iter().enumerate() {
        let error = fake.done[&index].as_ref().unwrap_err();
        assert_eq!(error.status, 400, "{sent}");
        assert!(error.scim_type.is_some() && error.detail.len() > 20, "{sent}: {error}");
    }
    assert_eq!((fake.status(wrong.len()), fake.kept.len()), (200, 1));
}

#[test]
fn a_bulk_id_that_stands_twice_is_nobodys() {
    let fake = Fake::default()
        .run(bulk(json!([post_user("a", None), post_user("b", Some("a")), post_user("a", None)])).unwrap());
    assert_eq!([fake.status(0), fake.status(1), fake.status(2)], [400; 3]);
    assert!(fake.kept.is_empty());
}

#[test]
fn references_are_found_wherever_an_id_stands_and_nowhere_else() {
    let patch = |operations: Value, path: &str| json!({ "method": "PATCH", "path": path, "data": { "Operations": operations } });
    let body = json!([
        patch(
            json!([
                { "op": "add", "path": "members", "value": [{ "value": "bulkId:a", "$ref": "../Users/bulkId:a" }] },
                { "op": "Remove", "PATH": "members[value eq \"bulkId:a\" or value eq \"x\\\"bulkId:\" or value eq \"bulkId:a\"]" },
                { "op": "replace", "value": { "members": { "value": "bulkId:a" }, "displayName": "bulkId:a" } },
            ]),
            "/Groups/bulkId:g"
        ),
        patch(
            json!([
                { "op": "add", "path": format!("{ENTERPRISE}:manager"), "value": "bulkId:a" },
                { "op": "add", "path": format!("{ENTERPRISE}:manager.value"), "value": "bulkId:a" },
                { "op": "add", "path": "manager", "value": [{ "value": "bulkId:a" }] },
                { "op": "add", "path": ENTERPRISE, "value": { "manager": { "value": "bulkId:a" } } },
                { "op": "add", "value": { format!("{ENTERPRISE}:manager"): { "VALUE": "bulkId:a" }, "title": "bulkId:a" } },
                { "op": "add", "path": "title", "value": "bulkId:a" },
                { "op": "add", "path": "emails", "value": [{ "value": "bulkId:nobody" }] },
            ]),
            "/Users/bulkId:b"
        ),
        { "method": "PUT", "path": "/Users/bulkId:b", "data": { "userName": "bulkId:a", "Manager": "bulkId:a",
            ENTERPRISE: { "Manager": { "value": "bulkId:a" } } } },
        post_group("g", &[]),
        post_user("b", None),
        post_user("a", None),
    ]);
    let mut course = Course::new(bulk(body).unwrap());
    let mut seen = BTreeMap::new();
    while let Some(step) = course.next(String::new) {
        let Step::Run(ready) = step else { panic!("{step:?}") };
        for part in ready {
            let name = course.entries()[part.index].bulk_id.clone();
            course.note(part.index, Ok(name.map(|name| format!("id-{name}"))));
            seen.insert(part.index, part.operation);
        }
    }
    let operations = &seen[&0].data["Operations"];
    assert_eq!(operations[0]["value"][0], json!({ "value": "id-a", "$ref": "../Users/id-a" }));
    assert_eq!(
        operations[1]["PATH"],
        "members[value eq \"id-a\" or value eq \"x\\\"bulkId:\" or value eq \"id-a\"]"
    );
    assert_eq!(operations[2]["value"], json!({ "members": { "value": "id-a" }, "displayName": "bulkId:a" }));
    assert_eq!((seen[&0].id(), seen[&1].id(), seen[&2].id()), (Some("id-g"), Some("id-b"), Some("id-b")));
    let operations = &seen[&1].data["Operations"];
    assert_eq!((&operations[0]["value"], &operations[1]["value"]), (&json!("id-a"), &json!("id-a")));
    assert_eq!(operations[2]["value"], json!([{ "value": "id-a" }]));
    assert_eq!(operations[3]["value"], json!({ "manager": { "value": "id-a" } }));
    let key = format!("{ENTERPRISE}:manager");
    assert_eq!(operations[4]["value"], json!({ key: { "VALUE": "id-a" }, "title": "bulkId:a" }));
    assert_eq!(operations[5]["value"], "bulkId:a", "a title is text");
    assert_eq!(operations[6]["value"][0]["value"], "bulkId:nobody");
    let put = &seen[&2].data;
    assert_eq!((&put["userName"], &put["Manager"]), (&json!("bulkId:a"), &json!("id-a")));
    assert_eq!(put[ENTERPRISE]["Manager"]["value"], "id-a");
}

#[test]
fn operations_run_as_sent_but_after_what_they_need() {
    let body = json!([
        post_group("g", &["c"]),
        { "method": "DELETE", "path": "/Groups/7" },
        { "method": "PATCH", "path": "/Users/5", "data": { "Operations": [{ "op": "add", "path": "manager", "value": "bulkId:a" }] } },
        { "method": "DELETE", "path": "/Users/5" },
        post_user("a", None),
        post_user("b", None),
        post_user("c", Some("a")),
    ]);
    let mut course = Course::new(bulk(body).unwrap());
    let mut order = Vec::new();
    while let Some(Step::Run(ready)) = course.next(String::new) {
        for part in ready {
            order.push(part.index);
            course.note(part.index, Ok(Some("x".to_owned())));
        }
    }
    assert_eq!(order, [1, 4, 2, 3, 5, 6, 0]);
}

#[test]
fn groups_are_no_members_of_groups_here_either() {
    let circle = json!([
        post_group("g", &["h"]),
        post_group("h", &["g"]),
        post_group("i", &["a"]),
        post_user("a", None)
    ]);
    let fake = Fake::default().run(bulk(circle).unwrap());
    assert_eq!([0, 1, 2, 3].map(|index| fake.status(index)), [409, 409, 200, 200]);
    let chain = Fake::default().run(bulk(json!([post_group("g", &["h"]), post_group("h", &[])])).unwrap());
    assert_eq!([0, 1].map(|index| chain.status(index)), [400, 200]);
    let own = Fake::default().run(bulk(json!([post_group("g", &["g"])])).unwrap());
    assert_eq!(own.status(0), 409);
}

#[test]
fn a_circle_is_made_whole_or_not_at_all() {
    let circle = || {
        bulk(json!([
            post_user("a", Some("b")),
            post_user("b", Some("c")),
            post_user("c", Some("a")),
            post_user("d", Some("d")),
            post_group("g", &["a"])
        ]))
    };
    let whole = Fake::default().run(circle().unwrap());
    assert_eq!([0, 1, 2, 3, 4].map(|index| whole.status(index)), [200; 5]);
    assert!(whole.by_name()["c"].contains("\"<a>\"") && whole.by_name()["d"].contains("\"<d>\""));
    let broken = Fake { refuses: BTreeSet::from(["b".to_owned()]), ..Fake::default() }.run(circle().unwrap());
    assert_eq!(broken.kept.len(), 1, "{:?}", broken.kept);
    assert_eq!([3, 4].map(|index| broken.status(index)), [200, 400]);
    let names: Vec<String> = (0..101).map(|n| format!("u{n}")).collect();
    let ring: Vec<Value> = (0..101).map(|n| post_user(&names[n], Some(&names[(n + 1) % 101]))).collect();
    let too_large = Fake::default().run(bulk(ring.into()).unwrap());
    assert_eq!((too_large.status(0), too_large.kept.len()), (409, 0));
}

#[test]
fn a_chain_of_any_length_costs_no_stack() {
    let names: Vec<String> = (0..1_000).map(|n| format!("u{n}")).collect();
    let chain: Vec<Value> =
        (0..1_000).map(|n| post_user(&names[n], names.get(n + 1).map(String::as_str))).collect();
    let fake = Fake::default().run(bulk(chain.into()).unwrap());
    assert_eq!(fake.kept.len(), 1_000);
    assert_eq!(fake.ran.first(), Some(&999));
}

#[test]
fn after_so_many_errors_nothing_further_is_begun() {
    let refuses = BTreeSet::from(["a".to_owned(), "c".to_owned()]);
    let operations = json!([post_user("a", None), { "method": "GET" }, post_user("b", None), post_user("c", None), post_user("d", None)]);
    for (limit, begun) in [(1, 1), (2, 2), (3, 4), (4, 5)] {
        let body = json!({ "Operations": operations, "failOnErrors": limit });
        let request = BulkRequest::parse(&body, 10, Conformance::Tolerant).unwrap();
        let fake = Fake { refuses: refuses.clone(), ..Fake::default() }.run(request);
        assert_eq!(fake.done.len(), begun, "failOnErrors {limit}");
    }
}

/// Users with managers among themselves, groups with members among the users, and a PATCH for some of either: all
/// named by bulkId.
fn operations() -> impl Strategy<Value = Vec<Value>> {
    let users = prop::collection::vec(prop::option::of(0_usize..8), 1..8);
    let groups = prop::collection::vec(prop::collection::btree_set(0_usize..8, 0..5), 0..4);
    (users, groups, prop::collection::vec(any::<bool>(), 12)).prop_map(|(users, groups, patched)| {
        let name = |user: usize| format!("u{}", user % users.len());
        let mut all = Vec::new();
        for (index, manager) in users.iter().enumerate() {
            all.push(post_user(&name(index), manager.map(name).as_deref()));
            if patched[index] {
                let value = json!({ "value": format!("bulkId:{}", name(index + 1)) });
                let data = json!({ "Operations": [{ "op": "add", "path": "manager", "value": value }] });
                all.push(json!({ "method": "PATCH", "path": format!("/Users/bulkId:{}", name(index)), "data": data }));
            }
        }
        for (index, members) in groups.iter().enumerate() {
            let members: BTreeSet<String> = members.iter().map(|user| name(*user)).collect();
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            all.push(post_group(&format!("g{index}"), &members));
            if patched[8 + index] {
                let path = format!("members[value eq \"bulkId:{}\"]", name(index));
                let data = json!({ "Operations": [{ "op": "remove", "path": path }] });
                all.push(json!({ "method": "PATCH", "path": format!("/Groups/bulkId:g{index}"), "data": data }));
            }
        }
        all
    })
}

proptest! {
    #[test]
    fn any_order_gives_the_same_references(
        (sent, shuffled) in operations().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let one = Fake::default().run(bulk(sent.into()).unwrap());
        let other = Fake::default().run(bulk(shuffled.into()).unwrap());
        prop_assert!(one.done.values().all(Result::is_ok), "{:?}", one.done);
        prop_assert_eq!(one.by_name(), other.by_name());
    }

    #[test]
    fn whatever_refers_to_what_failed_fails_in_any_order(
        (sent, shuffled, refused) in operations().prop_flat_map(|all| {
            (Just(all.clone()), Just(all).prop_shuffle(), 0_usize..8)
        }),
    ) {
        let refuses = BTreeSet::from([format!("u{refused}")]);
        let one = Fake { refuses: refuses.clone(), ..Fake::default() }.run(bulk(sent.into()).unwrap());
        let other = Fake { refuses, ..Fake::default() }.run(bulk(shuffled.into()).unwrap());
        prop_assert_eq!(one.by_name(), other.by_name());
        prop_assert!(one.kept.values().all(|kept| !kept.to_string().contains("bulkId:")));
    }

    #[test]
    fn no_operations_make_it_panic(body in super::properties::any_json(), target in "\\PC{0,20}") {
        let strange = json!({ "method": "PATCH", "path": format!("/Users/{target}"), "data": body });
        if let Ok(request) = bulk(json!([body, strange, body])) {
            run_through(request);
        }
    }
}

/// Only to see that it ends.
fn run_through(request: BulkRequest) {
    let mut course = Course::new(request);
    while let Some(step) = course.next(|| "id".to_owned()) {
        if let Step::Run(ready) = step {
            for part in ready {
                assert!(matches!(part.operation.kind, Kind::User | Kind::Group));
                course.note(part.index, Ok(Some("id".to_owned())));
            }
        }
    }
}
