//! Messages: bodies of users and groups, searches and bulk requests of any shape. Every operation of a bulk request is
//! carried out or refused once, after what it refers to, and without a reference left in it.
#![no_main]

use arbitrary::{Result, Unstructured};
use engine::model::state::Conformance;
use engine::protocol::scim::bulk::{BulkRequest, Course, Step};
use engine::protocol::scim::{ListQuery, Projection, SentGroup, UserResource, parse_json};
use engine::shape;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    if let Ok(body) = parse_json(data) {
        read(&body);
    }
    let _ = shaped(&mut Unstructured::new(data));
});

fn shaped(u: &mut Unstructured<'_>) -> Result<()> {
    let any = shape::json(u, 5)?;
    read(&any);
    let mut operations = Vec::new();
    while operations.len() < 12 && u.arbitrary()? {
        operations.push(if u.ratio(1, 8)? { shape::json(u, 4)? } else { bulk_operation(u)? });
    }
    let mut body =
        json!({ "Operations": operations, "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"] });
    if u.arbitrary()? {
        body["failOnErrors"] = u.int_in_range(1..=4_u8)?.into();
    }
    let failing = u.arbitrary::<u16>()?;
    for conformance in Conformance::ALL {
        if let Ok(request) = BulkRequest::parse(&body, 1_000, *conformance) {
            carry_out(request, failing);
        }
    }
    Ok(())
}

fn bulk_operation(u: &mut Unstructured<'_>) -> Result<Value> {
    let method = *u.choose(&["POST", "POST", "PUT", "PATCH", "DELETE"])?;
    let kind = *u.choose(&["/Users", "/Groups"])?;
    let reference = |u: &mut Unstructured<'_>| -> Result<String> {
        Ok(format!("{}{}", u.choose(&["bulkId:", "bulkId:", ""])?, u.choose(&["a", "b", "c", "d"])?))
    };
    let path = if method == "POST" { kind.to_owned() } else { format!("{kind}/{}", reference(u)?) };
    let data = match (method, kind) {
        ("PATCH", _) => {
            json!({ "Operations": [{ "op": "add", "path": format!("members[value eq \"{}\"]", reference(u)?),
            "value": reference(u)? }, shape::operation(u)?] })
        }
        (_, "/Users") => json!({ "userName": "x", "manager": { "value": reference(u)? } }),
        _ => {
            json!({ "displayName": "g", "members": [{ "value": reference(u)? }, { "value": reference(u)? }] })
        }
    };
    Ok(json!({ "method": method, "path": path, "bulkId": u.choose(&["a", "b", "c", "d"])?, "data": data }))
}

fn carry_out(request: BulkRequest, failing: u16) {
    let sent = request.entries.len();
    let bound = request.fail_on_errors;
    let mut course = Course::new(request);
    let (mut met, mut errors, mut minted) = (vec![false; sent], 0, 0);
    let mut meet = |index: usize| assert!(!std::mem::replace(&mut met[index], true), "{index} twice");
    while let Some(step) = course.next(|| {
        minted += 1;
        format!("minted-{minted}")
    }) {
        assert!(bound.is_none_or(|bound| errors < bound));
        match step {
            Step::Refused(refused) => {
                for (index, error) in refused {
                    assert!((400..500).contains(&error.status), "{error}");
                    meet(index);
                    errors += 1;
                }
            }
            Step::Run(ready) => {
                for part in ready {
                    meet(part.index);
                    // Where an id stands; elsewhere such a string is text.
                    let data = &part.operation.data;
                    let members = data["members"].as_array().into_iter().flatten();
                    for place in members.chain([&data["manager"]]) {
                        let id = place["value"].as_str().unwrap_or_default();
                        assert!(id.strip_prefix("bulkId:").is_none_or(str::is_empty), "{data}");
                    }
                    let fails = failing >> (part.index % 16) & 1 == 1;
                    errors += usize::from(fails);
                    let id = || Some(part.id.unwrap_or_else(|| format!("made-{}", part.index)));
                    course.note(part.index, if fails { Err(()) } else { Ok(id()) });
                }
            }
        }
    }
    assert!(bound.is_some() || met.iter().all(|met| *met), "every operation has its turn");
}

/// Whatever any of the messages makes of it.
fn read(body: &Value) {
    for conformance in Conformance::ALL {
        if let Ok(user) = UserResource::parse_as(shape::users(), body, *conformance) {
            let shown = user.to_json_as(shape::users(), "u1", &shape::meta());
            assert_eq!(
                UserResource::parse_as(shape::users(), &shown, Conformance::Tolerant).unwrap(),
                user,
                "{shown}"
            );
        }
        let _ = SentGroup::parse(body, *conformance).map(|sent| sent.membership());
        if let Ok(request) = BulkRequest::parse(body, 1_000, *conformance) {
            carry_out(request, 0);
        }
    }
    for resource_type in shape::resource_types() {
        if let Ok(query) = ListQuery::from_search(resource_type, body) {
            assert!(query.count <= 200);
            query.projection.apply(resource_type, body.clone());
        }
        Projection::default().apply(resource_type, body.clone());
    }
}
