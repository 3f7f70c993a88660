//! Reading requests, with our own errors.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::gateway::Problem;
use crate::protocol::ErrorCode;

/// A body of JSON, whatever its content type says; an empty one counts as `{}`.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(inner) if inner.status().as_u16() == 413 => {
                Problem::new(ErrorCode::TooLarge, "the body is too large")
            }
            _ => Problem::bad_request("the body could not be read"),
        })?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Problem::bad_request(format!("bad body: {error}")))
    }
}

/// Parts of the path. What is no id names nothing that is there, and nothing can be put under it.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) if parts.method == Method::PUT => {
                Err(Problem::bad_request("an id in this address is none: see the limits of ids"))
            }
            Err(_) => Err(Problem::new(ErrorCode::NotFound, "there is nothing at this address")),
        }
    }
}

/// The query string; a name without a value counts as missing.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.ends_with('='));
        let given: Result<Uri, _> = format!("/?{}", given.collect::<Vec<_>>().join("&")).parse();
        let given = given.map_err(|_| Problem::bad_request("bad query"))?;
        let read: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::try_from_uri(&given);
        match read {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::bad_request(format!("bad query: {}", rejection.body_text()))),
        }
    }
}
