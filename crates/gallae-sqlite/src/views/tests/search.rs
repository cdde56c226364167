//! Search.

use super::*;
use gallae_core::ViewKey;
use gallae_ports::{Condition, Paging, SearchBatch, SearchPage, SearchQuery, SearchRow, SearchStore};

const ADDRESSES: ProjectionSpec = ProjectionSpec {
    name: "addresses",
    revision: 1,
    fields: &[Field::text("status")],
    text: &["name", "address"],
};

fn found(key: &str, name: &str, address: &str, changed_at: u64) -> SearchRow {
    SearchRow {
        key: key.into(),
        document: Bytes::from_static(b"{}"),
        fields: vec!["NEW".into()],
        text: vec![name.to_owned(), address.to_owned()],
        changed_at: Position::new(changed_at),
    }
}

async fn filled(rows: Vec<SearchRow>) -> (TempDir, SqliteViews, Slot) {
    let (directory, views) = opened();
    let slot = views.open(&ADDRESSES, false).await.unwrap().slot;
    write(&views, &slot, 0, rows, Vec::new()).await;
    (directory, views, slot)
}

async fn write(views: &SqliteViews, slot: &Slot, from: u64, rows: Vec<SearchRow>, removed: Vec<ViewKey>) {
    let (from, to) = (Position::new(from), Position::new(from + 1));
    SearchStore::apply(views, slot, SearchBatch { from, to, epoch: 1, rows, removed }).await.unwrap();
}

async fn search(views: &SqliteViews, text: &str) -> SearchPage {
    let query = SearchQuery { text: text.to_owned(), ..SearchQuery::default() };
    views.search("addresses", &query).await.unwrap()
}

async fn keys(views: &SqliteViews, text: &str) -> Vec<String> {
    let page = search(views, text).await;
    assert_eq!(page.total, page.hits.len() as u64);
    page.hits.into_iter().map(|hit| hit.row.key.to_string()).collect()
}

#[tokio::test]
async fn korean_is_found_by_two_syllables_and_english_by_its_beginning() {
    let rows = vec![
        found("gangnam", "김철수", "서울시강남구 테헤란로 152", 1),
        found("mapo", "Harry Potter", "서울시 마포구 강변북로", 2),
        found("south", "이강 남궁", "부산", 3),
    ];
    let (_directory, views, _) = filled(rows).await;
    for (text, expected) in [
        ("강남", &["gangnam"][..]),
        ("강남구", &["gangnam"]),
        ("테헤란", &["gangnam"]),
        ("철수 강남", &["gangnam"]),
        ("서울", &["mapo", "gangnam"]),
        ("harr", &["mapo"]),
        ("HARRY 강변", &["mapo"]),
        ("arry", &[]),
        ("강남 부산", &[]),
        ("구", &["mapo", "gangnam"]),
        ("\"강남\" OR *", &[]),
        ("", &["south", "mapo", "gangnam"]),
    ] {
        assert_eq!(keys(&views, text).await, expected, "{text}");
    }
    let hit = search(&views, "강남").await.hits.remove(0);
    let highlight = &hit.highlights[0];
    let (start, end) = highlight.matches[0];
    assert_eq!((highlight.field, &highlight.text[start..end]), ("address", "강남"));
}

#[tokio::test]
async fn fields_then_matches_then_age_then_key_decide_the_rank() {
    let rows = vec![
        found("b", "nothing", "harry", 5),
        found("a", "nothing", "harry", 5),
        found("newer", "nothing", "harry, and a much longer text than the others have", 6),
        found("often", "nothing", "harry harry harriet", 1),
        found("name", "harry", "nothing", 1),
        found("both", "harry", "harry", 1),
    ];
    let (_directory, views, _) = filled(rows).await;
    assert_eq!(keys(&views, "harry").await, ["both", "name", "often", "newer", "a", "b"]);
}

#[tokio::test]
async fn changed_and_removed_documents_are_found_by_what_they_say_now() {
    let (_directory, views, slot) = filled(vec![
        found("a", "강남", "one", 1),
        found("b", "강남", "two", 1),
        found("c", "강남", "six", 1),
    ])
    .await;
    // A change without a change of text keeps the words.
    write(
        &views,
        &slot,
        1,
        vec![found("a", "서초", "one", 2), found("c", "강남", "six", 2)],
        vec!["b".into()],
    )
    .await;
    assert_eq!(keys(&views, "강남").await, ["c"]);
    assert_eq!(keys(&views, "서초").await, ["a"]);
    assert_eq!(keys(&views, "two").await, Vec::<String>::new());
    SearchStore::repair(
        &views,
        "addresses",
        Position::new(2),
        vec![("c".into(), None), ("d".into(), Some(found("d", "서초", "", 9)))],
    )
    .await
    .unwrap();
    assert_eq!(keys(&views, "강남").await, Vec::<String>::new());
    assert_eq!(keys(&views, "서초").await, ["d", "a"]);
}

#[tokio::test]
async fn pages_and_conditions_narrow_and_the_total_stays() {
    let rows = (0..3_000).map(|number| {
        let row = found(&format!("{number:04}"), "강남", "서울", number);
        SearchRow { fields: vec![if number % 2 == 0 { "EVEN" } else { "ODD" }.into()], ..row }
    });
    let (_directory, views, _) = filled(rows.collect()).await;
    for text in ["강남", ""] {
        let query = SearchQuery {
            text: text.to_owned(),
            conditions: vec![Condition::is("status", "EVEN")],
            paging: Paging::Page { offset: 10, limit: 3 },
        };
        let page = views.search("addresses", &query).await.unwrap();
        let keys: Vec<_> = page.hits.iter().map(|hit| hit.row.key.as_str()).collect();
        assert_eq!((keys, page.total), (vec!["2978", "2976", "2974"], 1_500), "{text:?}");
    }
    let cursor =
        SearchQuery { paging: Paging::After { cursor: "00".to_owned(), limit: 3 }, ..SearchQuery::default() };
    assert!(views.search("addresses", &cursor).await.is_err());
}
