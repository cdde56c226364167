//! Query strings and pages.

use crate::{Problem, codes};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use gallae_ports::Paging;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// A query string; what is wrong with it is a 400 with a stable code.
#[derive(Clone, Debug)]
pub struct StrictQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(codes::INVALID_PARAMETER, rejection.body_text())),
        }
    }
}

/// `page` and `limit`, or `cursor` for deep lists.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// From 1.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Rows a page, 20 unless said, at most 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before; replaces `page`.
    pub cursor: Option<String>,
}

impl PageParams {
    /// Checks page and limit.
    ///
    /// # Errors
    /// 400 when they are out of bounds.
    pub fn check(&self) -> Result<(), Problem> {
        let bad = |detail: &str| Err(Problem::new(codes::INVALID_PARAMETER, detail));
        if self.limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            return bad("limit: from 1 to 100.");
        }
        if self.page.is_some_and(|page| !(1..=1_000_000).contains(&page)) {
            return bad("page: from 1 to 1000000; use cursor for deep lists.");
        }
        Ok(())
    }

    /// Rows a page.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// The page's number.
    pub fn page(&self) -> u32 {
        self.page.unwrap_or(1)
    }

    /// Rows before the page.
    pub fn offset(&self) -> u64 {
        u64::from(self.page().saturating_sub(1)) * u64::from(self.limit())
    }

    /// As a store wants it.
    pub fn paging(&self) -> Paging {
        let limit = self.limit() as usize;
        match &self.cursor {
            Some(cursor) => Paging::After { cursor: cursor.clone(), limit },
            None => Paging::Page { offset: self.offset(), limit },
        }
    }

    /// How many pages `total` rows make.
    pub fn total_pages(&self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.limit()))
    }
}
