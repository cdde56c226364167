//! The read API.

use super::{
    queries,
    reply::{BookReply, BooksPage},
};
use crate::{
    Shop,
    http::{ReadRefusals, Sealed},
};
use axum::{Json, extract::State, response::Response};
use commerce_domain::{
    books::{Book, BookRejection},
    projections::{BookSearch, BookViews},
};
use gallae_core::{Id, Projection};
use gallae_http::{AtLeast, EntityTag, PageParams, Problem, StrictPath, StrictQuery, at_position, codes};
use gallae_ports::{Order, Paging};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which books.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BooksQuery {
    /// Text in title, author or number; best matches first.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The author, exactly as the catalogue has it.
    #[param(max_length = 500)]
    author: Option<String>,
    /// `title`, `author`, `price` or `createdAt`, largest first with a dash before it; not together with `q`.
    #[param(pattern = "^-?(title|author|price|createdAt)$")]
    sort: Option<String>,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Books a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before; replaces `page`, not together with `q`.
    #[param(max_length = 4000)]
    cursor: Option<String>,
}

/// The catalogue, page by page.
#[utoipa::path(
    get, path = "/books", tag = "Books", operation_id = "listBooks", params(BooksQuery),
    responses(
        (status = 200, description = "A page.", body = BooksPage, headers(("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn list_books(
    State(shop): State<Shop>,
    at_least: AtLeast,
    StrictQuery(query): StrictQuery<BooksQuery>,
) -> Result<Response, Problem> {
    let page = PageParams { page: query.page, limit: query.limit, cursor: query.cursor.clone() };
    page.check()?;
    let author = query.author.as_deref().filter(|author| !author.is_empty());
    match query.q.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => {
            if query.sort.is_some() || query.cursor.is_some() {
                return Err(Problem::new(codes::INVALID_PARAMETER, "q comes without sort and cursor."));
            }
            found(&shop, at_least, text, author, &page).await
        }
        None => listed(&shop, at_least, author, query.sort.as_deref().unwrap_or("title"), &page).await,
    }
}

async fn found(
    shop: &Shop,
    at_least: AtLeast,
    text: &str,
    author: Option<&str>,
    page: &PageParams,
) -> Result<Response, Problem> {
    let position = shop.reached(BookSearch::NAME, &at_least).await?;
    shop.reached(BookViews::NAME, &at_least).await?;
    let (books, total) = queries::matching(&*shop.search, &*shop.views, text, author, page.paging()).await?;
    Ok(at_position(
        position,
        Json(BooksPage {
            books: books.iter().filter_map(BookReply::viewed).collect(),
            total: Some(total),
            page: Some(page.page()),
            limit: page.limit(),
            total_pages: Some(page.total_pages(total)),
            next_cursor: None,
        }),
    ))
}

async fn listed(
    shop: &Shop,
    at_least: AtLeast,
    author: Option<&str>,
    sort: &str,
    page: &PageParams,
) -> Result<Response, Problem> {
    let order = order_of(sort)?;
    let cursors = Sealed::new(&shop.secret, "commerce list of books");
    let paging = match &page.cursor {
        Some(cursor) => {
            let cursor = cursors.unwrap(sort, cursor);
            let bad = |_| {
                Problem::new(
                    codes::INVALID_PARAMETER,
                    "cursor: send nextCursor back as it came, with the same sort.",
                )
            };
            Paging::After { cursor: cursor.map_err(bad)?, limit: page.limit() as usize }
        }
        None => page.paging(),
    };
    let position = shop.reached(BookViews::NAME, &at_least).await?;
    let (books, found) = queries::listed(&*shop.views, author, order, paging).await?;
    Ok(at_position(
        position,
        Json(BooksPage {
            books: books.iter().filter_map(BookReply::viewed).collect(),
            total: found.total,
            page: page.cursor.is_none().then(|| page.page()),
            limit: page.limit(),
            total_pages: found.total.map(|total| page.total_pages(total)),
            next_cursor: found.next.map(|next| cursors.wrap(sort, &next)),
        }),
    ))
}

fn order_of(sort: &str) -> Result<Order, Problem> {
    let (field, descending) = sort.strip_prefix('-').map_or((sort, false), |field| (field, true));
    let field = match field {
        "title" => "title",
        "author" => "author",
        "price" => "price",
        "createdAt" => "created_at",
        _ => {
            return Err(Problem::new(
                codes::INVALID_PARAMETER,
                "sort: title, author, price or createdAt, with a dash before it for largest first.",
            ));
        }
    };
    Ok(Order { field, descending })
}

/// One book. Its `ETag` goes into `If-Match` of a change.
#[utoipa::path(
    get, path = "/books/{id}", tag = "Books", operation_id = "getBook",
    params(("id" = Uuid, Path, description = "Which book.")),
    responses(
        (status = 200, description = "The book.", body = BookReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn get_book(
    State(shop): State<Shop>,
    StrictPath(id): StrictPath<Id<Book>>,
    at_least: AtLeast,
) -> Result<Response, Problem> {
    let position = shop.reached(BookViews::NAME, &at_least).await?;
    let view = queries::by_id(&*shop.views, id).await?;
    let missing = || Problem::from_rejection(&BookRejection::NotFound);
    let view = view.ok_or_else(missing)?;
    let reply = BookReply::viewed(&view).ok_or_else(missing)?;
    Ok(EntityTag(view.version).on(at_position(position, Json(reply))))
}
