//! Where the attributes of directory users are kept.

use super::super::entities::directory_users::{Entity, Model};
use super::{Field, Sql, Stored};
use crate::model::id::DirectoryId;
use crate::protocol::scim::filter::{Filter, IndexKey, fold};
use uuid::Uuid;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// Directory users.
#[derive(Debug, Clone, Copy)]
pub struct Users;

impl Stored for Users {
    type Entity = Entity;
    type Row = Model;
    const TABLE: &'static str = "directory_users";
    const ADDRESS: Option<&'static str> = Some("r.address");

    fn field(extension: Option<&str>, name: &str, sub: Option<&str>) -> Field {
        match (extension, name, sub) {
            (None, "id", None) => Field::Id("r.id"),
            (None, "externalId", None) => Field::Text("r.external_id"),
            (None, "userName", None) => Field::Folded("r.user_name_key"),
            (None, "active", None) => Field::Flag { column: "r.active", key: "active" },
            (None, "name", Some("givenName")) => Field::Text("r.given_name"),
            (None, "name", Some("familyName")) => Field::Text("r.family_name"),
            (None, "meta", Some("created")) => Field::Time("r.created_at"),
            (None, "meta", Some("lastModified")) => Field::Time("r.updated_at"),
            (None, "meta", Some("version")) => Field::Version("r.version"),
            (None, "meta", Some("location")) => Field::Location("r.id"),
            (None, "meta", _) => Field::Fixed("User"),
            (None, "schemas", None) => Field::Schemas(USER),
            (None, "groups", _) => Field::Rows {
                from: "directory_group_members AS membership JOIN directory_groups AS grouped \
                       ON grouped.id = membership.group_id WHERE membership.directory_user_id = r.id \
                       AND membership.organization_id = r.organization_id",
                order: "membership.group_id",
                each: |sub| match sub {
                    "value" => Field::Id("membership.group_id"),
                    "display" => Field::Text("grouped.display_name"),
                    "type" => Field::Fixed("direct"),
                    _ => Field::Judged,
                },
            },
            _ => Field::Json,
        }
    }

    fn found_by(directory: DirectoryId, filter: &Filter) -> Option<Sql> {
        let email = filter.index_keys().into_iter().find_map(|key| match key {
            IndexKey::Email(email) if !email.is_empty() => Some(fold(email)),
            _ => None,
        })?;
        let (email, directory) = (Sql::value(email), Sql::value(directory));
        // Most people's one address is their userName. Each part has an index that leads with what is looked for.
        Some(Sql::of(
            "r.id IN (SELECT id FROM directory_users WHERE user_name_key = ? AND directory_id = ? \
             UNION ALL SELECT id FROM directory_users WHERE email_key = ? AND directory_id = ? \
             UNION ALL SELECT id FROM directory_users WHERE more_emails AND directory_id = ?)",
            [&email, &directory, &email, &directory, &directory],
        ))
    }

    fn finds_few(filter: &Filter) -> bool {
        filter.index_keys().iter().any(|key| {
            matches!(
                key,
                IndexKey::Id(_) | IndexKey::ExternalId(_) | IndexKey::UserName(_) | IndexKey::Email(_)
            )
        })
    }

    fn id(row: &Model) -> Uuid {
        row.id.uuid()
    }
}
