//! PATCH: applied to any user it never panics, is all or nothing, and leaves a user that is valid by the same tables;
//! what really changed is told; replace and remove done twice are done once. So for groups and their members.
#![no_main]

use arbitrary::{Result, Unstructured};
use engine::model::state::Conformance;
use engine::protocol::scim::membership::Ids;
use engine::protocol::scim::{GroupPatch, GroupResource, PatchRequest, ScimType, SentGroup, UserResource};
use engine::shape;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fuzz_target!(|data: &[u8]| {
    let _ = run(&mut Unstructured::new(data));
});

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let users = shape::users();
    let conformance = shape::conformance(u)?;
    let mut operations = vec![shape::operation(u)?];
    while operations.len() < 8 && u.arbitrary()? {
        operations.push(shape::operation(u)?);
    }
    let body = json!({ "schemas": [PATCH], "Operations": operations });
    group(&body, conformance);
    let Ok(request) = PatchRequest::parse(users, &body, conformance) else { return Ok(()) };
    let Ok(user) = UserResource::parse_as(users, &shape::user(u)?, Conformance::Tolerant) else {
        return Ok(());
    };
    let once = match user.patched_as(users, &request) {
        Err(error) => {
            assert!((400..500).contains(&error.status) && error.detail.len() < 4_000, "{error}");
            return Ok(());
        }
        Ok((once, changed)) => {
            assert_eq!(changed.is_empty(), once == user, "{changed:?}");
            once
        }
    };
    // Valid: shown and read again it is the same, but for what is shown only.
    let shown = once.to_json_as(users, "u1", &shape::meta());
    let again =
        UserResource::parse_as(users, &shown, Conformance::Tolerant).expect("a patched user is valid");
    assert_eq!(again, once, "{shown}");
    assert!(!once.user_name().is_empty());
    assert!(once.emails().filter(|email| email.primary).count() <= 1);
    // One that adds nothing, done twice, is done once.
    let op = |operation: &Value| operation["op"].as_str().is_some_and(|op| op.eq_ignore_ascii_case("add"));
    if operations.len() == 1 && !operations.iter().any(op) {
        match once.patched_as(users, &request) {
            Ok((twice, changed)) => {
                assert_eq!(twice, once);
                assert!(changed.is_empty(), "{changed:?}");
            }
            // What was replaced is not found by its old value again.
            Err(error) => assert_eq!(error.scim_type, Some(ScimType::NoTarget), "{error}"),
        }
    }
    Ok(())
}

fn group(body: &Value, conformance: Conformance) {
    let Ok(patch) = GroupPatch::parse(body, conformance) else { return };
    let before: Ids = ["a", "b", "c"].map(str::to_owned).into();
    let after = patch.membership.apply(&before);
    assert_eq!(patch.membership.apply(&after), after);
    // Whoever is new was named.
    assert!(after.iter().all(|id| before.contains(id) || patch.membership.named().contains(id)));
    let sent = SentGroup::parse(&json!({ "displayName": "G" }), Conformance::Tolerant).expect("a group");
    if let Ok(patched) = sent.group.patched(&patch.rest) {
        assert!(!patched.display_name().is_empty());
        let shown = patched.to_json("g1", &shape::meta());
        assert_eq!(
            SentGroup::parse(&shown, Conformance::Tolerant).expect("a valid group").group,
            patched,
            "{shown}"
        );
        let _ = GroupResource::from_value(patched.into_value());
    }
}
