//! The write API.

use super::{
    MAX_PRICE,
    body::{BookBody, BookPatchBody},
    editor::Editor,
    reply::BookReply,
};
use crate::{
    Shop, codes,
    http::{Answer, Change, KeyHeader, MatchHeader, WriteRefusals, body_of},
    shop::{KEEP_REQUESTS, Once},
};
use axum::{extract::State, http::StatusCode};
use bytes::Bytes;
use commerce_domain::{
    books::{
        Book, BookDetails, BookRejection,
        commands::{BookChange, CreateBook, DeleteBook, UpdateBook},
    },
    stock::{Stock, commands::SetStock},
};
use gallae_core::{Id, Position, Version};
use gallae_http::{IdempotencyKey, IfMatch, Problem, RequestContext, StrictJson, StrictPath};
use gallae_runtime::dispatcher::Request;
use serde_json::{Value, json};

/// Add a book.
#[utoipa::path(
    post, path = "/books", tag = "Books", operation_id = "createBook", security((), ("bearer" = [])),
    params(KeyHeader),
    request_body = BookBody,
    responses(
        (status = 201, description = "It is in the catalogue.", body = BookReply,
         headers(("Location" = String), ("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn create_book(
    State(shop): State<Shop>,
    Editor(context): Editor,
    key: IdempotencyKey,
    StrictJson { value: body, raw }: StrictJson<BookBody>,
) -> Result<Answer, Problem> {
    affordable(Some(body.price))?;
    let once = shop.once(&context, &key, "POST /books", KEEP_REQUESTS, || json_of(&raw))?;
    let book = Id::new(shop.platform.entropy().uuid());
    let details = body.details();
    let reply = body_of(&BookReply::decided(book.uuid(), &details))?;
    let change = Change {
        command: CreateBook { book, details },
        metadata: context.metadata(),
        if_match: IfMatch(None),
        once,
        status: StatusCode::CREATED,
        reply,
    };
    let mut answer = change.send(&shop).await?.located("/books");
    if let (Some(stock), Some(book)) = (body.stock, answer.named::<Book>()) {
        answer.position = first_stock(&shop, &context, book, stock).await?.or(answer.position);
    }
    Ok(answer)
}

/// Replace all that the catalogue says about a book.
#[utoipa::path(
    put, path = "/books/{id}", tag = "Books", operation_id = "replaceBook", security((), ("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which book."),
        MatchHeader,
        KeyHeader
    ),
    request_body = BookBody,
    responses(
        (status = 200, description = "As it is now.", body = BookReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn replace_book(
    State(shop): State<Shop>,
    Editor(context): Editor,
    StrictPath(book): StrictPath<Id<Book>>,
    if_match: IfMatch,
    key: IdempotencyKey,
    StrictJson { value: body, raw }: StrictJson<BookBody>,
) -> Result<Answer, Problem> {
    affordable(Some(body.price))?;
    let content = || json!([book.to_string(), json_of(&raw)]);
    let once = shop.once(&context, &key, "PUT /books/{id}", KEEP_REQUESTS, content)?;
    let after = body.details();
    let command = UpdateBook { book, change: BookChange::Replace(after.clone()) };
    update(&shop, &context, Update { command, if_match, once, after, stock: body.stock }).await
}

/// Change parts of a book.
#[utoipa::path(
    patch, path = "/books/{id}", tag = "Books", operation_id = "changeBook", security((), ("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which book."),
        MatchHeader,
        KeyHeader
    ),
    request_body = BookPatchBody,
    responses(
        (status = 200, description = "As it is now.", body = BookReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn change_book(
    State(shop): State<Shop>,
    Editor(context): Editor,
    StrictPath(book): StrictPath<Id<Book>>,
    if_match: IfMatch,
    key: IdempotencyKey,
    StrictJson { value: body, raw }: StrictJson<BookPatchBody>,
) -> Result<Answer, Problem> {
    if body.currency.is_some() && body.price.is_none() {
        return Err(Problem::new(codes::INVALID_BOOK, "A currency comes with a price. Nothing was stored.")
            .field("/currency", codes::INVALID_BOOK.code, "only together with price"));
    }
    affordable(body.price)?;
    let content = || json!([book.to_string(), json_of(&raw)]);
    let once = shop.once(&context, &key, "PATCH /books/{id}", KEEP_REQUESTS, content)?;
    let (state, _) = shop.platform.peek(book).await?;
    let before = state.listed().ok_or_else(|| Problem::from_rejection(&BookRejection::NotFound))?;
    let patch = body.patch(before.price.currency);
    let after = patch.apply(before);
    let command = UpdateBook { book, change: BookChange::Patch(patch) };
    update(&shop, &context, Update { command, if_match, once, after, stock: body.stock }).await
}

/// Take a book out of the catalogue. Orders that name it stay as they are.
#[utoipa::path(
    delete, path = "/books/{id}", tag = "Books", operation_id = "deleteBook", security((), ("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which book."),
        MatchHeader,
        KeyHeader
    ),
    responses(
        (status = 204, description = "It is gone.", headers(("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn delete_book(
    State(shop): State<Shop>,
    Editor(context): Editor,
    StrictPath(book): StrictPath<Id<Book>>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<Answer, Problem> {
    let once = shop.once(&context, &key, "DELETE /books/{id}", KEEP_REQUESTS, || json!(book.to_string()))?;
    let (command, status, reply) = (DeleteBook { book }, StatusCode::NO_CONTENT, Bytes::new());
    let change = Change { command, metadata: context.metadata(), if_match, once, status, reply };
    Ok(Answer { version: Version::NONE, ..change.send(&shop).await? })
}

fn affordable(price: Option<i64>) -> Result<(), Problem> {
    if price.is_none_or(|price| price <= MAX_PRICE) {
        return Ok(());
    }
    let problem = "at most 1,000,000,000";
    Err(Problem::from_rejection(&BookRejection::Invalid { field: "price", problem }))
}

/// A change of a listed book.
struct Update {
    command: UpdateBook,
    if_match: IfMatch,
    once: Option<Once>,
    after: BookDetails,
    stock: Option<u32>,
}

async fn update(shop: &Shop, context: &RequestContext, update: Update) -> Result<Answer, Problem> {
    let Update { command, if_match, once, after, stock } = update;
    let book = command.book;
    let reply = body_of(&BookReply::decided(book.uuid(), &after))?;
    let (metadata, status) = (context.metadata(), StatusCode::OK);
    let mut answer = Change { command, metadata, if_match, once, status, reply }.send(shop).await?;
    if let Some(available) = stock.filter(|_| !answer.replayed) {
        let command = SetStock { book, available };
        let stocked = shop.platform.send(Request::new(command, context.metadata())).await;
        answer.position = Some(stocked.map_err(|error| half_done(error.into()))?.position);
    }
    Ok(answer)
}

/// Sets the first stock of a new book. Also when its creation is repeated, in case the first time ended in between; never
/// again once there is stock.
async fn first_stock(
    shop: &Shop,
    context: &RequestContext,
    book: Id<Book>,
    available: u32,
) -> Result<Option<Position>, Problem> {
    let (_, version) = shop.platform.peek(Stock::of(book)).await.map_err(|error| half_done(error.into()))?;
    if version != Version::NONE {
        return Ok(None);
    }
    let sent = shop.platform.send(Request::new(SetStock { book, available }, context.metadata())).await;
    sent.map(|receipt| Some(receipt.position)).map_err(|error| half_done(error.into()))
}

/// The book was written and its stock was not.
fn half_done(problem: Problem) -> Problem {
    problem.member("written", "book").member("remedy", "PATCH /books/{id} with stock sets it")
}

/// The body as a value; it was parsed before, so it is one.
fn json_of(raw: &[u8]) -> Value {
    serde_json::from_slice(raw).unwrap_or_default()
}
