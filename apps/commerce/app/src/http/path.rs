//! Ids in paths.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use gallae_core::Id;
use gallae_http::{Problem, codes};
use std::collections::BTreeMap;

/// The `{id}` of a path.
#[derive(Debug)]
pub(crate) struct PathId<A>(pub(crate) Id<A>);

impl<A, S: Send + Sync> FromRequestParts<S> for PathId<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(names)| names.get("id")?.parse().ok());
        id.map(Self)
            .ok_or_else(|| Problem::new(codes::INVALID_PARAMETER, "The id in the path is not a UUID."))
    }
}
