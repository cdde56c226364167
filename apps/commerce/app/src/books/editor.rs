//! Who may change the catalogue.

use crate::{Shop, settings::BooksWrite};
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use gallae_http::{
    Problem, RequestContext,
    auth::{Caller, Operator},
};

/// Somebody who may change the catalogue, as `books.write` says.
#[derive(Debug)]
pub(super) struct Editor(pub(super) RequestContext);

impl FromRequestParts<Shop> for Editor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Problem> {
        let context = match shop.settings.books_write {
            BooksWrite::Admin => Operator::from_request_parts(parts, shop).await?.0.context,
            BooksWrite::Anonymous if !parts.headers.contains_key(header::AUTHORIZATION) => {
                RequestContext::from_request_parts(parts, shop).await?
            }
            BooksWrite::Anonymous | BooksWrite::User => {
                Caller::from_request_parts(parts, shop).await?.context
            }
        };
        Ok(Self(context))
    }
}
