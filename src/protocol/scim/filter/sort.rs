//! `sortBy` and `sortOrder` (RFC 7644 §3.4.2.3).
use super::super::ScimError;
use super::super::name::{self, Resolved};
use super::super::schema::ResourceType;
use super::{AttributeRef, Kind};

/// What a list is sorted by. Text that is not case-exact sorts without case, a list of values by its primary or first
/// one; resources without a value come last in ascending order and first in descending order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    pub attribute: AttributeRef,
    pub descending: bool,
}

impl Sort {
    /// Reads both parameters. `None` without `sortBy`.
    ///
    /// 400 `invalidPath` if `sortBy` names nothing that can be sorted by, `invalidValue` for a `sortOrder` that is
    /// neither `ascending` nor `descending`.
    pub fn parse(
        resource_type: &ResourceType,
        sort_by: Option<&str>,
        sort_order: Option<&str>,
    ) -> Result<Option<Self>, ScimError> {
        let descending = match sort_order.map(str::trim) {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(order) => {
                let order = super::super::error::quotable(order, 40);
                return Err(ScimError::invalid_value(format!(
                    "sortOrder must be \"ascending\" or \"descending\", but \"{order}\" was sent."
                )));
            }
        };
        let Some(sort_by) = sort_by.map(str::trim).filter(|sort_by| !sort_by.is_empty()) else {
            return Ok(None);
        };
        let refused = |why: String| ScimError::invalid_path(format!("sortBy cannot be used: {why}."));
        let attribute =
            match name::resolve(resource_type, sort_by).map_err(|error| refused(error.to_string()))? {
                Resolved::Attribute { extension, attribute, sub } if attribute.advertised => {
                    // A complex attribute sorts by its `value`, as it is compared by it.
                    let value = || if attribute.is_complex() { attribute.sub("value") } else { None };
                    AttributeRef::new(extension.map(|s| s.id.as_str()), attribute, sub.or_else(value))
                }
                _ => {
                    return Err(refused(format!(
                        "\"{}\" is no attribute with a value",
                        super::super::error::excerpt(sort_by, 120)
                    )));
                }
            };
        if attribute.kind == Kind::Complex {
            return Err(refused(format!("\"{attribute}\" has parts; name one of its sub-attributes")));
        }
        Ok(Some(Self { attribute, descending }))
    }
}
