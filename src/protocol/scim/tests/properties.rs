//! Properties: filters print and read back; PATCH twice equals once; arbitrary input never panics.
use proptest::prelude::*;

use super::super::filter::Filter;
use super::super::name::fold;
use super::super::path::Path;
use super::super::schema::user as user_type;
use super::super::{ListQuery, Projection, ScimType, UserResource, parse_json};
use super::*;

fn literal() -> impl Strategy<Value = String> {
    prop_oneof!["[a-cA-C@. ]{0,6}", "\\PC{0,8}"].prop_map(|text| Value::from(text).to_string())
}

fn comparison() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "userName",
        "displayName",
        "name.givenName",
        "emails.value",
        "externalId",
        "department",
        "manager",
    ]);
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    prop_oneof![
        (name.clone(), operator, literal()).prop_map(|(n, o, l)| format!("{n} {o} {l}")),
        name.prop_map(|n| format!("{n} pr")),
        any::<bool>().prop_map(|b| format!("active eq {b}")),
        (literal(), literal()).prop_map(|(a, b)| format!("emails[type eq {a} or not (value co {b})]")),
        (literal(), literal()).prop_map(|(a, b)| format!("emails[type eq {a} or value eq {a}].value sw {b}")),
    ]
}

fn filter_text() -> impl Strategy<Value = String> {
    comparison().prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" or ")),
            inner.clone().prop_map(|term| format!("not ({term})")),
            inner.prop_map(|term| format!("({term})")),
        ]
    })
}

/// JSON of any shape, with names that mean something now and then.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["True", "work", "a@b.example", "add", "\0", "replace", CORE])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "userName",
                "name",
                "emails",
                "value",
                "type",
                "primary",
                "active",
                "op",
                "path",
                "Operations",
                "schemas",
                ENTERPRISE,
                "manager",
                "name.givenName",
                "emails[type eq \"work\"].value",
                "givenName",
            ])
            .prop_map(ToOwned::to_owned),
            "\\PC{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn email() -> impl Strategy<Value = Value> {
    ("[a-c]{1,2}@x[.]example", prop::option::of(prop::sample::select(vec!["work", "home", "WORK"]))).prop_map(
        |(value, kind)| match kind {
            Some(kind) => json!({"value": value, "type": kind}),
            None => json!({"value": value}),
        },
    )
}

fn some_user() -> impl Strategy<Value = UserResource> {
    (
        prop::option::of("[a-c]{1,3}"),
        prop::option::of("[a-c]{1,3}"),
        prop::collection::vec(email(), 0..4),
        prop::option::of(0_usize..4),
        prop::option::of("[a-c]{1,3}"),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(given, display, mut emails, primary, department, active)| {
            if let Some(email) = primary.and_then(|index| emails.get_mut(index)) {
                email["primary"] = true.into();
            }
            user(json!({"name": {"givenName": given}, "displayName": display, "emails": emails, "active": active,
                (ENTERPRISE): {"department": department}}))
        })
}

/// A replace or remove of some form.
fn operation() -> impl Strategy<Value = Value> {
    let text = "[a-c]{1,3}";
    let path = prop::sample::select(vec![
        "name",
        "name.givenName",
        "displayName",
        "emails",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[value co \"a\"]",
        "emails.display",
        "emails[type eq \"home\"].primary",
        "department",
        "manager",
        "manager.value",
        "active",
        ENTERPRISE,
        "phoneNumbers[type eq \"fax\" and primary eq true].value",
    ]);
    prop_oneof![
        path.clone().prop_map(|path| json!({"op": "remove", "path": path})),
        prop::collection::vec(email(), 0..2)
            .prop_map(|emails| json!({"op": "remove", "path": "emails", "value": emails})),
        (path, text, email()).prop_map(|(path, text, email)| {
            let value = match path {
                "name" => json!({"givenName": text}),
                "emails" => json!([email]),
                "active" | "emails[type eq \"home\"].primary" => json!(text.len() > 1),
                ENTERPRISE => json!({"department": text}),
                path if path.ends_with(']') => email,
                _ => json!(text),
            };
            json!({"op": "replace", "path": path, "value": value})
        }),
        (text, email()).prop_map(|(text, email)| {
            json!({"op": "replace", "value": {"displayName": text, "name.givenName": text, "emails": [email]}})
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_filter_reads_as_the_same(text in filter_text(), user in some_user()) {
        // Only the bounds may refuse it.
        if let Ok(filter) = Filter::parse(user_type(), &text) {
            let printed = filter.to_string();
            let again = Filter::parse(user_type(), &printed).unwrap();
            prop_assert_eq!(&again, &filter, "{}", printed);
            prop_assert_eq!(again.matches(&shown(&user)), filter.matches(&shown(&user)));
        } else {
            prop_assert!(text.len() > 2_000 || text.contains("\\u0000"), "{}", text);
        }
    }

    #[test]
    fn patch_twice_is_patch_once(user in some_user(), operation in operation()) {
        let operations = json!([operation]);
        if let Ok((once, _)) = patch(&user, operations.clone()) {
            // What a replaced value no longer matches is not found again; nothing else may differ.
            match patch(&once, operations) {
                Ok((twice, changed)) => {
                    prop_assert_eq!(&twice, &once);
                    prop_assert!(changed.is_empty());
                }
                Err(error) => prop_assert_eq!(error.scim_type, Some(ScimType::NoTarget)),
            }
        }
    }

    #[test]
    fn a_patched_user_reads_back_as_itself(user in some_user(), operations in prop::collection::vec(operation(), 1..5)) {
        if let Ok((patched, changed)) = patch(&user, Value::from(operations)) {
            prop_assert_eq!(changed.is_empty(), patched == user);
            prop_assert!(patched.emails().filter(|e| e.primary).count() <= 1);
            let body = shown(&patched);
            let again = post(body.clone()).unwrap();
            let shown_again = shown(&again);
            prop_assert_eq!(shown_again, body);
        }
    }

    #[test]
    fn nothing_panics(json in any_json(), text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for conformance in [Conformance::Tolerant, Conformance::Profile] {
            if let Ok(user) = UserResource::parse(&json, conformance) {
                prop_assert!(!user.user_name().is_empty());
                shown(&user);
            }
            for body in [json.clone(), request(json!([json.clone()])),
                request(json!([{"op": "add", "value": json.clone()}])),
                request(json!([{"op": "replace", "path": text.clone(), "value": json.clone()}])),
                request(json!([{"op": "remove", "path": "emails", "value": json.clone()}]))]
            {
                if let Ok(request) = PatchRequest::parse(user_type(), &body, conformance) {
                    let _ = user(json!({"emails": [{"value": "a@b.example"}]})).patched(&request);
                }
            }
        }
        let _ = parse_json(&bytes);
        let _ = Path::parse(user_type(), &text);
        let _ = Filter::parse(user_type(), &text).map(|filter| filter.matches(&json));
        let _ = ListQuery::parse(user_type(), [("startIndex", text.as_str()), ("filter", text.as_str())]);
        Projection::parse(user_type(), Some(&text), Some(&text)).apply(user_type(), json);
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn near_filters_never_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "userName", "emails", "[", "]", "(", ")", "eq", "co", "pr", "and", "or", "not", "\"x\"", "\"", "true",
            "null", "1", ".value", "type", " ", "\\", "é", "urn:", ENTERPRISE, ":",
        ]), 0..14),
    ) {
        let text = words.concat();
        let _ = Filter::parse(user_type(), &text);
        let _ = Path::parse(user_type(), &text);
        let spaced = words.join(" ");
        if let Ok(filter) = Filter::parse(user_type(), &spaced) {
            prop_assert_eq!(Filter::parse(user_type(), &filter.to_string()).unwrap(), filter);
        }
    }
}
