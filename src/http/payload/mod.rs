//! Bodies in and out: refusals in the dialect of each surface, and the SCIM media type.

pub mod codes;
pub mod dialect;
pub mod framework;
pub mod json_body;
pub mod problem;
pub mod scim_json;

pub use dialect::Dialect;
pub use json_body::JsonBody;
pub use problem::{FieldProblem, Problem};
pub use scim_json::ScimJson;
