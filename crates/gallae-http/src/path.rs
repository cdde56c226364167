//! Path parameters.

use crate::{Problem, codes};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use std::{fmt, str::FromStr};

/// The route's path parameter, or its first one; what cannot be read is a 400 with a stable code. For a route with two,
/// use [`StrictPath2`].
#[derive(Clone, Debug)]
pub struct StrictPath<T>(pub T);

impl<S, T> FromRequestParts<S> for StrictPath<T>
where
    S: Send + Sync,
    T: FromStr<Err: fmt::Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        Ok(Self(nth(&params, 0)?))
    }
}

/// The route's two path parameters, in the order in which they stand.
#[derive(Clone, Debug)]
pub struct StrictPath2<T, U>(pub T, pub U);

impl<S, T, U> FromRequestParts<S> for StrictPath2<T, U>
where
    S: Send + Sync,
    T: FromStr<Err: fmt::Display>,
    U: FromStr<Err: fmt::Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        Ok(Self(nth(&params, 0)?, nth(&params, 1)?))
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    let read = RawPathParams::from_request_parts(parts, state).await;
    read.map_err(|rejection| Problem::new(codes::INVALID_PARAMETER, rejection.body_text()))
}

fn nth<T: FromStr<Err: fmt::Display>>(params: &RawPathParams, index: usize) -> Result<T, Problem> {
    let Some((name, text)) = params.iter().nth(index) else {
        return Err(Problem::new(codes::INTERNAL, "The route has no such parameter."));
    };
    text.parse().map_err(|error| {
        Problem::new(codes::INVALID_PARAMETER, format!("{name}: {error}.")).field(
            format!("/{name}"),
            codes::INVALID_PARAMETER.code,
            format!("{error}"),
        )
    })
}
