//! Refusals and failures as problem documents (RFC 9457).

use std::fmt::Display;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::rest::Rest;
use crate::config;
use crate::observe::Denial;
use crate::reload::{LoadError, in_full};

/// The media type.
const KIND: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request did not do what it asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind it is, always the same for the same kind.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// What is wrong with the configuration, if it is that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ConfigProblem>,
    /// What a pool would have without its nodes, if that is too little.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Box<Rest>>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// All of the rest as `bookend check` prints it.
    pub text: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key it is about; empty when it is the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Unknown").to_owned();
        Self { title, status: status.as_u16(), detail: detail.into(), problems: Vec::new(), rest: None }
    }

    /// What stands at `key` of a body will not do.
    pub(super) fn unfit(key: &str, why: &dyn Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("`{key}`: {why}"))
    }

    /// The configuration was refused; 422 if the file is at fault, 409 if an address or a file is in the way.
    pub(super) fn refused(why: &LoadError) -> Self {
        let status = match why {
            LoadError::Problems(_) | LoadError::Read { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            LoadError::Bind(_) | LoadError::AccessLog(_) | LoadError::Loss(_) | LoadError::Operators(_) => {
                StatusCode::CONFLICT
            }
            LoadError::Build(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problems = problems(why);
        let detail = match problems.len() {
            0 => in_full(why),
            1 => "the configuration has a problem; the one before it stays in force".to_owned(),
            count => format!("the configuration has {count} problems; the one before it stays in force"),
        };
        let rest = match why {
            LoadError::Loss(loss) => Some(Box::new(Rest::from(&*loss.rest))),
            _ => None,
        };
        Self { title: "Configuration refused".to_owned(), problems, rest, ..Self::new(status, detail) }
    }
}

/// The problems of the file, if that is why it was refused.
pub(super) fn problems(why: &LoadError) -> Vec<ConfigProblem> {
    match why {
        LoadError::Problems(problems) => problems.iter().map(ConfigProblem::from).collect(),
        LoadError::Read { .. }
        | LoadError::Build(_)
        | LoadError::Bind(_)
        | LoadError::AccessLog(_)
        | LoadError::Loss(_)
        | LoadError::Operators(_) => Vec::new(),
    }
}

impl From<&config::Problem> for ConfigProblem {
    fn from(problem: &config::Problem) -> Self {
        Self {
            text: problem.to_string(),
            file: problem.file.to_string(),
            line: problem.line,
            column: problem.column,
            path: problem.path.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let (status, detail) = match denial {
            Denial::OtherUser => {
                (StatusCode::FORBIDDEN, "only root and the user that bookend runs as may change something")
            }
            Denial::Token => (StatusCode::UNAUTHORIZED, "this takes the token, as `Authorization: Bearer`"),
            Denial::NoTokenSet => (
                StatusCode::FORBIDDEN,
                "there is no `admin.token_file`, so changes are taken over the socket only",
            ),
            Denial::Host => (StatusCode::FORBIDDEN, "the Host is neither this address nor `localhost`"),
            Denial::Origin => (StatusCode::FORBIDDEN, "a page of another origin may not change anything"),
        };
        Self::new(status, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, KIND);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
