//! Where the attributes of directory groups are kept.

use super::super::entities::directory_groups::{Entity, Model};
use super::{Field, Sql, Stored};
use crate::model::id::DirectoryId;
use crate::protocol::scim::filter::{AttributeRef, Filter, IndexKey, Literal, Operator};
use uuid::Uuid;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Directory groups.
#[derive(Debug, Clone, Copy)]
pub struct Groups;

impl Stored for Groups {
    type Entity = Entity;
    type Row = Model;
    const TABLE: &'static str = "directory_groups";
    const ADDRESS: Option<&'static str> = None;

    fn field(extension: Option<&str>, name: &str, sub: Option<&str>) -> Field {
        match (extension, name, sub) {
            (None, "id", None) => Field::Id("r.id"),
            (None, "externalId", None) => Field::Text("r.external_id"),
            (None, "displayName", None) => Field::Folded("r.display_name_key"),
            (None, "meta", Some("created")) => Field::Time("r.created_at"),
            (None, "meta", Some("lastModified")) => Field::Time("r.updated_at"),
            (None, "meta", Some("version")) => Field::Version("r.version"),
            (None, "meta", Some("location")) => Field::Location("r.id"),
            (None, "meta", _) => Field::Fixed("Group"),
            (None, "schemas", None) => Field::Schemas(GROUP),
            (None, "members", _) => Field::Rows {
                from: "directory_group_members AS membership WHERE membership.group_id = r.id \
                       AND membership.organization_id = r.organization_id",
                order: "membership.directory_user_id",
                each: |sub| match sub {
                    "value" => Field::Id("membership.directory_user_id"),
                    "type" => Field::Fixed("User"),
                    _ => Field::Judged,
                },
            },
            _ => Field::Json,
        }
    }

    fn found_by(_: DirectoryId, filter: &Filter) -> Option<Sql> {
        let member = Sql::value(Uuid::try_parse(member(filter)?).ok()?);
        Some(Sql::of(
            "r.id IN (SELECT group_id FROM directory_group_members WHERE directory_user_id = ?)",
            [&member],
        ))
    }

    fn finds_few(filter: &Filter) -> bool {
        let keyed = |key: &IndexKey<'_>| {
            matches!(key, IndexKey::Id(_) | IndexKey::ExternalId(_) | IndexKey::DisplayName(_))
        };
        filter.index_keys().iter().any(keyed) || member(filter).is_some()
    }

    fn id(row: &Model) -> Uuid {
        row.id.uuid()
    }
}

/// Somebody who is in every group that the filter finds: of `members eq "x"`, `members.value eq "x"`,
/// `members[value eq "x"]`, by itself or in a conjunction.
fn member(filter: &Filter) -> Option<&str> {
    let is_members = |attribute: &AttributeRef| attribute.extension.is_none() && attribute.name == "members";
    match filter {
        Filter::And(terms) => terms.iter().find_map(member),
        Filter::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) }
            if is_members(attribute) && attribute.sub.as_deref() == Some("value") =>
        {
            Some(text)
        }
        Filter::Has { attribute, filter } if is_members(attribute) => {
            let terms = match filter.as_ref() {
                Filter::And(terms) => terms.as_slice(),
                term => std::slice::from_ref(term),
            };
            terms.iter().find_map(|term| match term {
                Filter::Compare { attribute, operator: Operator::Equal, literal: Literal::Text(text) }
                    if attribute.name == "value" =>
                {
                    Some(text.as_str())
                }
                _ => None,
            })
        }
        _ => None,
    }
}
