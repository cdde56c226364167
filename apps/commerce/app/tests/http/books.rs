//! The catalogue.

use crate::support::{Api, bearer};
use axum::http::Method;
use serde_json::{Value, json};

fn book(title: &str, price: i64) -> Value {
    json!({"title": title, "author": "유홍준", "price": price, "stock": 3})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_comes_changes_and_goes() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let created = api.post("/books", &token, book("나의 문화유산답사기", 15_000)).await.expect(201);
    let path = created.header("location").unwrap().to_owned();
    assert_eq!(path, format!("/books/{}", created.str("/id")));
    let shown = api.get_at(&path, "", created.position()).await.expect(200);
    assert_eq!(shown.json["stock"], json!({"available": 3, "reserved": 0, "sold": 0}));
    assert_eq!(shown.str("/formattedPrice"), "₩15,000");
    assert_eq!(shown.header("etag"), created.header("etag"));

    let patched =
        api.json(Method::PATCH, &path, &token, json!({"price": 9_000, "stock": 7})).await.expect(200);
    let shown = api.get_at(&path, "", patched.position()).await.expect(200);
    assert_eq!((&shown.json["price"], &shown.json["stock"]["available"]), (&json!(9_000), &json!(7)));
    assert_eq!(shown.str("/title"), "나의 문화유산답사기");

    let replaced = api.json(Method::PUT, &path, &token, book("New", 1_000)).await.expect(200);
    assert_eq!(api.get_at(&path, "", replaced.position()).await.str("/title"), "New");

    let gone = api.send(Method::DELETE, &path, &[("authorization", &*bearer(&token))], "").await.expect(204);
    api.get_at(&path, "", gone.position()).await.refused(404, "BOOK_NOT_FOUND");
    api.json(Method::PATCH, &path, &token, json!({"price": 1})).await.refused(404, "BOOK_NOT_FOUND");
    let listed = api.get_at("/books", "", gone.position()).await.expect(200);
    assert_eq!(listed.json["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_was_not_seen_is_refused() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let created = api.post("/books", &token, book("One", 15_000)).await.expect(201);
    let (path, seen) = (created.header("location").unwrap(), created.header("etag").unwrap());
    let change = |price| json!({ "price": price });
    let patch = |etag: &str, price| {
        let etag = etag.to_owned();
        let (api, token) = (&api, &token);
        async move { api.json_with(Method::PATCH, path, token, &[("if-match", &etag)], change(price)).await }
    };
    let second = patch(seen, 10).await.expect(200);
    let refused = patch(seen, 20).await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(refused.json["actualVersion"], 2);
    patch(second.header("etag").unwrap(), 20).await.expect(200);
    patch("*", 30).await.expect(200);
    patch("whatever", 40).await.refused(400, "INVALID_HEADER");
    // A repetition is no second change, though the version has moved on.
    let key = [("if-match", "\"4\""), ("idempotency-key", "k-1")];
    let first = api.json_with(Method::PATCH, path, &token, &key, change(50)).await.expect(200);
    let again = api.json_with(Method::PATCH, path, &token, &key, change(50)).await.expect(200);
    assert_eq!((again.text, again.headers.contains_key("idempotent-replayed")), (first.text, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_cannot_be_are_told_why() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let before = api.head().await;
    let spoilt = |member: &str, value: Value| {
        let mut body = book("One", 1_000);
        body[member] = value;
        body
    };
    let cases = [
        (spoilt("price", json!(0)), 422, "INVALID_BOOK"),
        (spoilt("price", json!(1.5)), 400, "INVALID_BODY"),
        (spoilt("title", json!("")), 422, "INVALID_BOOK"),
        (spoilt("isbn", json!("12-3")), 422, "INVALID_BOOK"),
        (spoilt("stock", json!(-1)), 400, "INVALID_BODY"),
        (spoilt("currency", json!("WON")), 400, "INVALID_BODY"),
        (spoilt("colour", json!("red")), 400, "INVALID_BODY"),
    ];
    for (body, status, code) in cases {
        api.post("/books", &token, body).await.refused(status, code);
    }
    api.post("/books", "", book("One", 1_000)).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(api.head().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_is_one_book_with_its_first_stock() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let key = [("idempotency-key", "\"k-1\"")];
    let create = |body| api.json_with(Method::POST, "/books", &token, &key, body);
    let first = create(book("One", 1_000)).await.expect(201);
    let path = first.header("location").unwrap();
    api.json(Method::PATCH, path, &token, json!({"stock": 1})).await.expect(200);
    let again = create(book("One", 1_000)).await.expect(201);
    assert_eq!((&again.text, again.header("location")), (&first.text, Some(path)));
    let shown = api.get_at(path, "", api.head().await).await.expect(200);
    assert_eq!(shown.json["stock"]["available"], 1);
    create(book("Two", 1_000)).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_listed_paged_and_searched() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    for number in 1..=5 {
        let body = json!({"title": format!("서울 강남 {number}"), "author": "Kim", "price": number * 100});
        api.post("/books", &token, body).await.expect(201);
    }
    let at = api.head().await;
    let titles = |reply: &crate::support::Reply| {
        let books = reply.json["books"].as_array().unwrap();
        books.iter().map(|book| book["price"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let first = api.get_at("/books?sort=-price&limit=2", "", at).await.expect(200);
    assert_eq!((titles(&first), &first.json["totalPages"]), (vec![500, 400], &json!(3)));
    let cursor = first.str("/nextCursor");
    let second = api.get_at(&format!("/books?sort=-price&limit=2&cursor={cursor}"), "", at).await.expect(200);
    assert_eq!(titles(&second), [300, 200]);
    api.get(&format!("/books?sort=price&cursor={cursor}"), "").await.refused(400, "INVALID_PARAMETER");
    let page = api.get_at("/books?sort=-price&limit=2&page=3", "", at).await.expect(200);
    assert_eq!(titles(&page), [100]);
    let found = api.get_at("/books?q=%EA%B0%95%EB%82%A8%203&limit=1", "", at).await.expect(200);
    assert_eq!((titles(&found), &found.json["total"]), (vec![300], &json!(1)));
    assert_eq!(api.get_at("/books?author=Kim", "", at).await.json["total"], 5);
    assert_eq!(api.get_at("/books?author=Lee", "", at).await.json["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_is_a_setting() {
    let anybody = Api::open_with(&[("books.write", "anonymous")]).await;
    anybody.post("/books", "", book("One", 1_000)).await.expect(201);
    let operators = Api::open_with(&[("books.write", "admin")]).await;
    let customer = operators.customer("user@example.com").await;
    operators.post("/books", &customer, book("One", 1_000)).await.refused(403, "FORBIDDEN");
    let operator = operators.operator().await;
    operators.post("/books", &operator, book("One", 1_000)).await.expect(201);
}
