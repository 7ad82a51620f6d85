//! A JSON request body of the REST API that names every wrong field.
//!
//! poem-openapi's own `Json` stops at the first mistake and does not say which field it is in. [`JsonBody`] has
//! the same place in a handler and in the OpenAPI document; only when a body does not fit, it is held against
//! the schema again, and the refusal lists what is missing, unknown, of the wrong type or not a valid value.

use std::ops::{Deref, DerefMut};

use poem::{Request, RequestBody, Result, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    error::ContentTypeError,
    payload::{Json, ParsePayload, Payload},
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
    types::{ParseFromJSON, Type},
};
use serde_json::{Map, Value};

use crate::protocol::json::{MOST_API_VALUES, has_more_values_than, too_many_values};

use super::{FieldProblem, Problem, framework::plain, framework::sentence};

/// A JSON body; see the module docs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonBody<T>(pub T);

impl<T> Deref for JsonBody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for JsonBody<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Type> Payload for JsonBody<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ParseFromJSON> ParsePayload for JsonBody<T> {
    const IS_REQUIRED: bool = T::IS_REQUIRED;

    async fn from_request(_request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = body.take()?.into_bytes().await?;
        let value = if bytes.is_empty() && !T::IS_REQUIRED {
            Value::Null
        } else if has_more_values_than(&bytes, MOST_API_VALUES) {
            return Err(invalid_body(too_many_values(MOST_API_VALUES)).into());
        } else {
            serde_json::from_slice(&bytes).map_err(|error| not_json(bytes.is_empty(), &error))?
        };
        // Kept to compare with; bodies of the REST API are small.
        let copy = value.clone();
        let read =
            T::parse_from_json(Some(value)).map_err(|error| does_not_fit::<T>(&copy, error.message()))?;
        // poem-openapi reads a number where a string is expected; nobody means that.
        match of_wrong_type::<T>(&copy) {
            None => Ok(Self(read)),
            Some(problem) => Err(problem.into()),
        }
    }
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
            required: Self::IS_REQUIRED,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match request.content_type() {
            Some(content_type) if Self::check_content_type(content_type) => {
                <Self as ParsePayload>::from_request(request, body).await
            }
            Some(content_type) => {
                Err(ContentTypeError::NotSupported { content_type: content_type.to_owned() }.into())
            }
            None if !Self::IS_REQUIRED => <Self as ParsePayload>::from_request(request, body).await,
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}

fn invalid_body(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "Invalid body", detail)
}

fn not_json(empty: bool, error: &serde_json::Error) -> Problem {
    if empty {
        invalid_body("A JSON body is expected, but the request has none.".to_owned())
    } else {
        invalid_body(format!("The body is not valid JSON: {error}."))
    }
}

/// What is wrong with a body that `T` took although fields of it have the wrong type.
fn of_wrong_type<T: ParseFromJSON>(body: &Value) -> Option<Problem> {
    let mut registry = Registry::default();
    T::register(&mut registry);
    let schema = T::schema_ref();
    let (Some(schema), Value::Object(object)) = (resolve(&registry, &schema), body) else { return None };
    let mut errors = Vec::new();
    compare(&registry, schema, object, "", &mut errors);
    errors.retain(|error| error.code == "wrong_type");
    (!errors.is_empty()).then(|| named(errors, ""))
}

/// Finds what is wrong with a body that `T` did not take for `reason`.
fn does_not_fit<T: ParseFromJSON>(body: &Value, reason: &str) -> Problem {
    let mut registry = Registry::default();
    T::register(&mut registry);
    let schema = T::schema_ref();
    let (Some(schema), Value::Object(object)) = (resolve(&registry, &schema), body) else {
        return invalid_body(format!("The body is not what is expected here: {}.", plain(reason)));
    };
    let mut errors = Vec::new();
    compare(&registry, schema, object, "", &mut errors);
    if errors.is_empty()
        && let Some(field) = culprit::<T>(schema, object, reason)
    {
        errors.push(field_problem(field.to_owned(), "invalid", sentence(&plain(reason))));
    }
    named(errors, reason)
}

/// The refusal that lists these fields.
fn named(errors: Vec<FieldProblem>, reason: &str) -> Problem {
    let mut problem = match errors.as_slice() {
        [] => invalid_body(format!("The body is not what is expected here: {}.", plain(reason))),
        [one] => invalid_body(format!("The field {} is wrong: {}", one.field, lower_first(&one.message))),
        several => invalid_body(format!("{} fields are wrong; see errors.", several.len())),
    };
    problem.errors = errors;
    problem
}

fn field_problem(field: String, code: &'static str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { field, code: code.into(), message: message.into() }
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// The schema behind a reference. A field with a description of its own refers to its type by `allOf`.
fn resolve<'a>(registry: &'a Registry, reference: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match reference {
        MetaSchemaRef::Inline(schema) => match schema.all_of.first() {
            Some(MetaSchemaRef::Reference(name)) => registry.schemas.get(name),
            _ => Some(schema),
        },
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}

/// Holds an object against its schema: names first, then types, into nested objects.
fn compare(
    registry: &Registry,
    schema: &MetaSchema,
    object: &Map<String, Value>,
    prefix: &str,
    errors: &mut Vec<FieldProblem>,
) {
    // Composed schemas (unions, maps) have no list of fields to hold against.
    if schema.properties.is_empty() {
        return;
    }
    for required in &schema.required {
        if object.get(*required).is_none_or(Value::is_null) {
            errors.push(field_problem(
                format!("{prefix}{required}"),
                "required",
                "It is required, but missing.",
            ));
        }
    }
    for (name, value) in object {
        let field = format!("{prefix}{name}");
        let Some((_, reference)) = schema.properties.iter().find(|(known, _)| known == name) else {
            if schema.additional_properties.is_none() {
                errors.push(field_problem(
                    field,
                    "unknown_field",
                    "There is no such field here; check its spelling.",
                ));
            }
            continue;
        };
        if !value.is_null() {
            compare_value(registry, reference, value, &field, errors);
        }
    }
}

/// Holds one value against its schema, the elements of a list included.
fn compare_value(
    registry: &Registry,
    reference: &MetaSchemaRef,
    value: &Value,
    field: &str,
    errors: &mut Vec<FieldProblem>,
) {
    let Some(expected) = resolve(registry, reference) else { return };
    if !fits(expected.ty, value) {
        let message = format!("Expected {}, found {}.", words(expected.ty), kind(value));
        errors.push(field_problem(field.to_owned(), "wrong_type", message));
    } else if !expected.enum_items.is_empty() && !expected.enum_items.contains(value) {
        let choices: Vec<&str> = expected.enum_items.iter().filter_map(Value::as_str).collect();
        let message = format!("Expected one of: {}.", choices.join(", "));
        errors.push(field_problem(field.to_owned(), "invalid_choice", message));
    } else if let Value::Object(inner) = value {
        compare(registry, expected, inner, &format!("{field}."), errors);
    } else if let (Value::Array(elements), Some(items)) = (value, &expected.items) {
        for (index, element) in elements.iter().enumerate() {
            compare_value(registry, items, element, &format!("{field}.{index}"), errors);
        }
    }
}

/// The field whose value brought `reason` about. Fields are read in the order of the schema, so it is the
/// last one of the shortest beginning of the object that fails in the same way.
fn culprit<T: ParseFromJSON>(
    schema: &MetaSchema,
    object: &Map<String, Value>,
    reason: &str,
) -> Option<&'static str> {
    let mut beginning = Map::new();
    for (name, _) in &schema.properties {
        let Some(value) = object.get(*name) else { continue };
        beginning.insert((*name).to_owned(), value.clone());
        if let Err(error) = T::parse_from_json(Some(Value::Object(beginning.clone())))
            && error.message() == reason
        {
            return Some(name);
        }
    }
    None
}

fn fits(expected: &str, value: &Value) -> bool {
    match expected {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn words(expected: &str) -> &'static str {
    match expected {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::{Enum, Object};
    use serde_json::json;

    use super::*;

    #[derive(Enum)]
    #[oai(rename_all = "snake_case")]
    enum Mode {
        Manual,
        Jit,
    }

    #[derive(Object)]
    #[oai(deny_unknown_fields)]
    struct Inner {
        #[oai(validator(max_length = 3))]
        code: String,
    }

    #[derive(Object)]
    #[oai(deny_unknown_fields)]
    struct Thing {
        name: String,
        count: Option<u32>,
        id: Option<uuid::Uuid>,
        mode: Option<Mode>,
        inner: Option<Inner>,
    }

    fn errors(body: &Value) -> Vec<(String, String)> {
        let error = Thing::parse_from_json(Some(body.clone())).err().unwrap();
        let problem = does_not_fit::<Thing>(body, error.message());
        problem.errors.into_iter().map(|error| (error.field, error.code.into_owned())).collect()
    }

    #[test]
    fn every_wrong_field_is_named() {
        let one = |field: &str, code: &str| (field.to_owned(), code.to_owned());
        assert_eq!(
            errors(&json!({"nmae": "a", "count": "many", "inner": {"code": 1, "x": 1}})),
            [
                one("name", "required"),
                one("nmae", "unknown_field"),
                one("count", "wrong_type"),
                one("inner.code", "wrong_type"),
                one("inner.x", "unknown_field"),
            ]
        );
        assert_eq!(errors(&json!({"name": null})), [one("name", "required")]);
        assert_eq!(errors(&json!({"name": "a", "mode": "auto"})), [one("mode", "invalid_choice")]);
        assert_eq!(errors(&json!({"name": "a", "count": 1.5})), [one("count", "wrong_type")]);
        // What only the type's own reading finds.
        assert_eq!(errors(&json!({"name": "a", "count": -1})), [one("count", "invalid")]);
        assert_eq!(errors(&json!({"id": "x", "name": "a", "count": 1})), [one("id", "invalid")]);
        assert_eq!(errors(&json!({"name": "a", "inner": {"code": "long"}})), [one("inner", "invalid")]);
    }

    #[test]
    fn values_are_not_repeated() {
        let body = json!({"name": {"password": "hunter2"}});
        let error = Thing::parse_from_json(Some(body.clone())).err().unwrap();
        let problem = does_not_fit::<Thing>(&body, error.message());
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        assert_eq!(problem.detail, "The field name is wrong: expected a string, found an object.");
    }
}
