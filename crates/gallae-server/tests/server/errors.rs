use crate::setup::Server;
use axum::{body::Body, http::Request};
use gallae_http::codes;
use gallae_server::errors::PAGES;
use std::collections::BTreeSet;

#[test]
fn every_code_has_a_page_that_says_what_to_do_and_no_page_is_left_over() {
    let pages: BTreeSet<_> = PAGES.iter().map(|(code, _)| *code).collect();
    let known: BTreeSet<_> = codes::ALL.iter().map(|known| known.code).collect();
    assert_eq!(pages, known);
    for (code, page) in PAGES {
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
        for part in ["**What happened to the data.**", "## Cause", "## Check", "## Remedy", "## Example"] {
            assert!(page.contains(part), "{code} has no {part}");
        }
    }
}

#[test]
fn the_example_of_a_page_is_what_the_code_answers() {
    for (code, page) in PAGES {
        let json = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let example: serde_json::Value = serde_json::from_str(json).unwrap();
        let known = codes::ALL.iter().find(|known| known.code == *code).unwrap();
        assert_eq!(example["code"], *code);
        assert_eq!(example["status"], known.status.as_u16(), "{code}");
        assert_eq!(example["title"], known.title, "{code}");
    }
}

#[tokio::test]
async fn pages_are_markdown_for_programs_and_harmless_html_for_browsers() {
    let server = Server::start().await;
    for code in codes::ALL {
        let page = server.get(&format!("/errors/{}", code.code)).await;
        assert_eq!(page.headers["content-type"], "text/markdown; charset=utf-8");
        assert!(page.text().contains(code.title), "{}", code.code);
    }
    let request =
        Request::get("/errors/INVALID_BODY").header("accept", "text/html").body(Body::empty()).unwrap();
    let html = server.send(request).await;
    assert_eq!(html.headers["content-type"], "text/html; charset=utf-8");
    assert!(html.text().contains("<title>INVALID_BODY</title>"));
    assert!(server.get("/errors").await.text().contains("VIEW_BEHIND"));
    server.get("/errors/%3Cscript%3E").await.problem(codes::NOT_FOUND);
}
