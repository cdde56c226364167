//! Joining and staying logged in.

use crate::support::{Api, PASSWORD, bearer};
use axum::http::Method;
use serde_json::{Value, json};

fn person(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "firstName": "길동", "lastName": "홍"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_joins_logs_in_and_leaves() {
    let api = Api::open().await;
    let joined = api.post("/auth/register", "", person("user@example.com")).await.expect(201);
    assert_eq!(joined.str("/role"), "user");
    api.post("/auth/register", "", person("User@Example.com")).await.refused(409, "EMAIL_TAKEN");

    let credentials = json!({"email": "USER@example.com", "password": PASSWORD});
    let session = api.post("/auth/login", "", credentials).await.expect(200);
    assert_eq!(session.str("/user/id"), joined.str("/id"));
    assert_eq!(session.header("cache-control"), Some("no-store"));
    let (access, refresh) = (session.str("/accessToken"), session.str("/refreshToken"));
    for path in ["/auth/me", "/auth/profile"] {
        assert_eq!(api.get(path, access).await.expect(200).str("/email"), "user@example.com");
    }

    let next = api.post("/auth/refresh", "", json!({"refreshToken": refresh})).await.expect(200);
    // Used twice: somebody has a copy, and the whole family ends.
    api.post("/auth/refresh", "", json!({"refreshToken": refresh}))
        .await
        .refused(401, "INVALID_REFRESH_TOKEN");
    let copied = json!({"refreshToken": next.str("/refreshToken")});
    api.post("/auth/refresh", "", copied).await.refused(401, "INVALID_REFRESH_TOKEN");

    let credentials = json!({"email": "user@example.com", "password": PASSWORD});
    let session = api.post("/auth/login", "", credentials).await.expect(200);
    let mine = json!({"refreshToken": session.str("/refreshToken")});
    api.post("/auth/logout", "", mine.clone()).await.expect(204);
    api.post("/auth/logout", "", mine.clone()).await.expect(204);
    api.post("/auth/refresh", "", mine).await.refused(401, "INVALID_REFRESH_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let api = Api::open().await;
    api.post("/auth/register", "", person("user@example.com")).await.expect(201);
    let wrong = api.post("/auth/login", "", json!({"email": "user@example.com", "password": "wrong"})).await;
    let unknown =
        api.post("/auth/login", "", json!({"email": "nobody@example.com", "password": "wrong"})).await;
    let same = |reply: &crate::support::Reply| {
        let mut body = reply.json.clone();
        for member in ["correlationId", "traceId"] {
            body.as_object_mut().unwrap().remove(member);
        }
        (reply.status, body)
    };
    assert_eq!(same(&wrong), same(&unknown));
    wrong.refused(401, "INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_join_is_told_why_and_not_stored() {
    let api = Api::open().await;
    let before = api.head().await;
    let spoilt = |member: &str, value: Value| {
        let mut body = person("user@example.com");
        body[member] = value;
        body
    };
    let cases = [
        (spoilt("email", json!("not an address")), 422, "INVALID_EMAIL"),
        (spoilt("password", json!("short")), 422, "INVALID_PASSWORD"),
        (spoilt("password", json!("x".repeat(129))), 422, "INVALID_PASSWORD"),
        (spoilt("firstName", json!(" ")), 422, "INVALID_NAME"),
        (spoilt("firstName", json!(5)), 400, "INVALID_BODY"),
        (spoilt("role", json!("admin")), 400, "INVALID_BODY"),
    ];
    for (body, status, code) in cases {
        api.post("/auth/register", "", body).await.refused(status, code);
    }
    assert_eq!(api.head().await, before);
    // Nothing stands in the way of the same address.
    api.post("/auth/register", "", person("user@example.com")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_ended_half_way_is_finished_by_who_knows_the_password() {
    let api = Api::open().await;
    let shop = &api.node.shop;
    let hash = shop.accounts.hash(PASSWORD.to_owned()).await.unwrap();
    let half = shop.platform.entropy().uuid();
    shop.accounts.create(half, "user@example.com", hash).await.unwrap();
    let credentials = json!({"email": "user@example.com", "password": PASSWORD});
    api.post("/auth/login", "", credentials.clone()).await.refused(401, "INVALID_CREDENTIALS");
    let mut stranger = person("user@example.com");
    stranger["password"] = json!("another one");
    api.post("/auth/register", "", stranger).await.refused(409, "EMAIL_TAKEN");
    let joined = api.post("/auth/register", "", person("user@example.com")).await.expect(201);
    assert_eq!(joined.str("/id"), half.to_string());
    api.post("/auth/login", "", credentials).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_passwords_close_a_login_for_a_while_whether_it_exists_or_not() {
    let api = Api::open().await;
    api.post("/auth/register", "", person("user@example.com")).await.expect(201);
    for email in ["user@example.com", "nobody@example.com"] {
        let mut guesses = 0;
        let locked = loop {
            let spelled = if guesses % 2 == 0 { email.to_owned() } else { email.to_uppercase() };
            let wrong = json!({"email": spelled, "password": "wrong"});
            let reply = api.post("/auth/login", "", wrong).await;
            if reply.status == 429 {
                break reply.refused(429, "LOGIN_LOCKED");
            }
            reply.refused(401, "INVALID_CREDENTIALS");
            guesses += 1;
            // On a slow machine the first waits may be over before the next guess.
            assert!(guesses < 16, "{email} is never closed");
        };
        assert!(guesses >= 6, "{email} is closed after {guesses}");
        assert!(locked.header("retry-after").is_some());
    }
    // Who joins is not held to what was guessed before they did.
    api.post("/auth/register", "", person("nobody@example.com")).await.expect(201);
    let joined = json!({"email": "nobody@example.com", "password": PASSWORD});
    api.post("/auth/login", "", joined).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_speak_korean_to_who_asks_for_it() {
    let api = Api::open().await;
    let headers = [("accept-language", "ko-KR,ko;q=0.9"), ("authorization", &*bearer("nonsense"))];
    let reply = api.send(Method::GET, "/auth/me", &headers, "").await.refused(401, "UNAUTHENTICATED");
    assert_eq!(reply.str("/title"), "유효한 접근 토큰이 필요합니다");
}
