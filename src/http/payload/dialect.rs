//! The dialect of a surface: how a refusal looks at this door (product rule 19).

use std::{fmt, sync::Arc};

use poem::Response;

use super::{Problem, scim_json::scim_error};

type Draw = dyn Fn(&Problem, &str) -> Response + Send + Sync;

/// How refusals look. Cheap to clone.
#[derive(Clone)]
pub enum Dialect {
    /// RFC 9457 with this base of the type URL, ending in a slash.
    Problem(Arc<str>),
    /// RFC 7644 section 3.12.
    Scim,
    /// Drawn by a function of (problem, request id): pages, OAuth errors.
    Custom(Arc<Draw>),
}

impl Dialect {
    /// problem+json whose types are addresses below `{public_url}/problems/`.
    pub fn problem(public_url: &str) -> Self {
        Self::Problem(format!("{}/problems/", public_url.trim_end_matches('/')).into())
    }

    pub fn custom(draw: impl Fn(&Problem, &str) -> Response + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(draw))
    }

    /// The finished answer, the problem's own headers included.
    pub fn render(&self, problem: &Problem, request_id: &str) -> Response {
        match self {
            Self::Problem(base) => problem.to_problem_json(base, request_id),
            Self::Scim => {
                problem.with_headers(scim_error(problem.status, problem.scim_type, &problem.detail))
            }
            Self::Custom(draw) => problem.with_headers(draw(problem, request_id)),
        }
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Problem(_) => "Problem",
            Self::Scim => "Scim",
            Self::Custom(_) => "Custom",
        })
    }
}
