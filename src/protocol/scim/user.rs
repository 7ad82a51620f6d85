//! A User resource: the generic engine with names for what the gateway itself reads.
use serde_json::Value;

use super::patch::PatchRequest;
use super::schema::{self, ResourceType};
use super::{Conformance, Meta, Resource, ScimError};

/// One e-mail address of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Email<'a> {
    pub value: &'a str,
    /// As it was sent, such as `work`.
    pub kind: Option<&'a str>,
    pub primary: bool,
}

/// A User in normal form; `userName` is there and not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct UserResource(Resource);

impl UserResource {
    /// The tables that users are read by.
    pub fn resource_type() -> &'static ResourceType {
        schema::user()
    }

    /// Reads the body of a POST or PUT by the built-in tables, see [`Resource::parse`].
    pub fn parse(body: &Value, conformance: Conformance) -> Result<Self, ScimError> {
        Self::parse_as(schema::user(), body, conformance)
    }

    /// The same by a directory's own tables.
    pub fn parse_as(users: &ResourceType, body: &Value, conformance: Conformance) -> Result<Self, ScimError> {
        Resource::parse(users, body, conformance).map(Self)
    }

    /// Takes back what [`Self::into_value`] gave.
    pub fn from_value(value: Value) -> Self {
        Self(Resource::from_value(value))
    }

    /// The normal form, to be stored.
    pub fn into_value(self) -> Value {
        self.0.into_value()
    }

    /// The generic form.
    pub fn resource(&self) -> &Resource {
        &self.0
    }

    /// Applies a PATCH to a copy, by the built-in tables: the new user and the names of the attributes that really
    /// changed.
    pub fn patched(&self, request: &PatchRequest) -> Result<(Self, Vec<String>), ScimError> {
        self.patched_as(schema::user(), request)
    }

    /// The same by a directory's own tables.
    pub fn patched_as(
        &self,
        users: &ResourceType,
        request: &PatchRequest,
    ) -> Result<(Self, Vec<String>), ScimError> {
        let patched = request.apply(users, &self.0)?;
        Ok((Self(patched.resource), patched.changed))
    }

    /// Refuses a change of what is set once: attributes of extensions that the tables call immutable.
    pub fn check_immutable(&self, users: &ResourceType, earlier: &Self) -> Result<(), ScimError> {
        self.0.check_immutable(users, &earlier.0)
    }

    /// Whether it has values of a directory's own schemas.
    pub fn has_own(&self) -> bool {
        self.0.own().next().is_some()
    }

    /// Whether its values of a directory's own schemas are other than they were.
    pub fn changes_own(&self, earlier: &Self) -> bool {
        self.0.own().any(|(urn, value)| earlier.0.attributes().get(urn) != Some(value))
    }

    /// Reads the values of a directory's own schemas again, by other tables: what these do not have is dropped, as it would
    /// be from a body.
    ///
    /// 400 `invalidValue` for a value that is of another type there.
    pub fn refit(self, users: &ResourceType) -> Result<Self, ScimError> {
        self.0.refit(users).map(Self)
    }

    /// The attributes in which this differs from `earlier`; empty means nothing really changed.
    pub fn changed_since(&self, earlier: &Self) -> Vec<String> {
        self.0.changed_since(&earlier.0)
    }

    /// The representation that leaves. Clients expect `active` in it: see [`Self::default_active`].
    pub fn to_json(&self, id: &str, meta: &Meta) -> Value {
        self.to_json_as(schema::user(), id, meta)
    }

    /// The same by a directory's own tables: what they do not have stays hidden.
    pub fn to_json_as(&self, users: &ResourceType, id: &str, meta: &Meta) -> Value {
        self.0.to_json(users, id, meta)
    }

    /// `userName` as it was sent.
    pub fn user_name(&self) -> &str {
        self.0.text("userName").unwrap_or_default()
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.0.text("externalId")
    }

    /// `active`; `None` where it was not sent, or taken away by a PATCH: then nothing is said of it, and
    /// the person's access stays as it is.
    pub fn active(&self) -> Option<bool> {
        self.0.attributes().get("active")?.as_bool()
    }

    /// Where a body says nothing of `active`: true for a new user, what it was for a PUT.
    pub fn default_active(&mut self, earlier: Option<&Self>) {
        let active = earlier.map_or(Some(true), Self::active);
        if let (None, Some(active)) = (self.active(), active) {
            self.set_active(active);
        }
    }

    /// Sets `active`, for changes that come from elsewhere.
    pub fn set_active(&mut self, active: bool) {
        self.0.attributes_mut().insert("active".into(), Value::Bool(active));
        self.0.tidy(schema::user());
    }

    /// `displayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.0.text("displayName")
    }

    /// `name.givenName`.
    pub fn given_name(&self) -> Option<&str> {
        self.name_part("givenName")
    }

    /// `name.familyName`.
    pub fn family_name(&self) -> Option<&str> {
        self.name_part("familyName")
    }

    /// `name.formatted`.
    pub fn formatted_name(&self) -> Option<&str> {
        self.name_part("formatted")
    }

    fn name_part(&self, part: &str) -> Option<&str> {
        self.0.attributes().get("name")?.get(part)?.as_str()
    }

    /// The name to show: `displayName`, else `name.formatted`, else given and family name.
    pub fn shown_name(&self) -> Option<String> {
        let given = [self.display_name(), self.formatted_name()];
        if let Some(name) = given.into_iter().flatten().find(|n| !n.trim().is_empty()) {
            return Some(name.to_owned());
        }
        let parts: Vec<&str> = [self.given_name(), self.family_name()]
            .into_iter()
            .flatten()
            .filter(|part| !part.trim().is_empty())
            .collect();
        if parts.is_empty() { None } else { Some(parts.join(" ")) }
    }

    /// The e-mail addresses that have a value, in the order sent.
    pub fn emails(&self) -> impl Iterator<Item = Email<'_>> {
        self.0.attributes().get("emails").and_then(Value::as_array).into_iter().flatten().filter_map(|item| {
            Some(Email {
                value: item.get("value")?.as_str().filter(|v| !v.is_empty())?,
                kind: item.get("type").and_then(Value::as_str),
                primary: item.get("primary").and_then(Value::as_bool).unwrap_or(false),
            })
        })
    }

    /// The values of `roles`, in the order sent.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        let roles = self.0.attributes().get("roles").and_then(Value::as_array);
        roles.into_iter().flatten().filter_map(|item| item.get("value")?.as_str())
    }

    /// The address of the person by rule 7: `userName` if it is an e-mail address, else the primary
    /// e-mail, else the first work e-mail. `is_email` says what counts as one, for example
    /// [`looks_like_email`].
    pub fn address(&self, is_email: impl Fn(&str) -> bool) -> Option<&str> {
        let user_name = self.user_name();
        if is_email(user_name) {
            return Some(user_name);
        }
        let primary = self.emails().find(|e| e.primary && is_email(e.value));
        let work = || {
            self.emails()
                .find(|e| e.kind.is_some_and(|k| k.eq_ignore_ascii_case("work")) && is_email(e.value))
        };
        primary.or_else(work).map(|e| e.value)
    }
}

/// A coarse test: ASCII, no blanks or quotes, something before one `@`, a name with a dot after it.
pub fn looks_like_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |b: u8| b.is_ascii_graphic() && !b"@\"()<>[],;:\\".contains(&b);
    !local.is_empty()
        && text.bytes().filter(|b| *b != b'@').all(plain)
        && !domain.contains('@')
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
}
