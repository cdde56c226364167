//! The suite of [`SearchStore`].

use crate::Harness;
use bytes::Bytes;
use gallae_core::{Field, Position, ViewKey};
use gallae_ports::{
    Condition, Paging, ProjectionSpec, ProjectionStore, SearchBatch, SearchPage, SearchQuery, SearchRow,
    SearchStore, Slot, StoredView,
};

/// Every case of search, and the cases of cursors and generations for search.
#[macro_export]
macro_rules! search_store_suite {
    ($harness:expr) => {
        $crate::__suite! { search_store, $harness, [
            korean_is_found_anywhere,
            words_are_found_by_their_beginning,
            every_term_must_match_in_some_field,
            case_and_unicode_form_do_not_matter_to_a_search,
            highlights_show_what_matched,
            important_fields_and_more_matches_rank_higher,
            equal_ranks_are_ordered_by_change_then_key,
            searches_are_narrowed_by_conditions,
            searches_are_paged_and_counted,
            a_query_without_terms_matches_every_document,
            queries_are_not_a_language,
            changed_text_is_found_by_its_new_terms_only,
            removed_documents_are_not_found,
            documents_are_loaded_and_scanned,
            a_repair_is_indexed,
        ] }
        $crate::__generations_suite! { search_generations, Search, $harness }
    };
}

const SPEC: ProjectionSpec = ProjectionSpec {
    name: "books",
    revision: 1,
    fields: &[Field::text("status"), Field::integer("price")],
    text: &["title", "note"],
};

/// 강남 finds 서울시강남구; pieces must hang together.
pub async fn korean_is_found_anywhere<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, _) = filled(
        harness,
        &[("a", "서울시강남구 테헤란로", ""), ("b", "부산 해운대", ""), ("c", "가나 나다", "")],
    )
    .await;
    for query in ["강남", "강남구", "서울", "시강", "구", "테헤란 서울", "서울시강남구"]
    {
        assert_eq!(found(&store, query).await, ["a"], "{query}");
    }
    for query in ["남강", "강북", "구테", "가나다", "해운 서울"] {
        assert!(found(&store, query).await.is_empty(), "{query}");
    }
}

/// Not by their middle or end.
pub async fn words_are_found_by_their_beginning<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, _) = filled(harness, &[("a", "Harry Potter", "4th edition"), ("b", "Hamlet", "")]).await;
    for (query, expected) in [
        ("harr", &["a"][..]),
        ("Harry", &["a"]),
        ("ha", &["a", "b"]),
        ("4", &["a"]),
        ("pot har", &["a"]),
        ("arry", &[]),
        ("harrys", &[]),
    ] {
        assert_eq!(sorted(found(&store, query).await), expected, "{query}");
    }
}

/// One term may match here and the other there.
pub async fn every_term_must_match_in_some_field<H: Harness<Store: SearchStore>>(harness: &H) {
    let rows =
        [("a", "해리포터와 Potter", "마법사의 돌"), ("b", "Potter", "불의 잔"), ("c", "해리", "Stone")];
    let (store, _) = filled(harness, &rows).await;
    assert_eq!(found(&store, "Potter 해리").await, ["a"]);
    assert_eq!(found(&store, "potter 불의").await, ["b"]);
    assert_eq!(found(&store, "해리 stone").await, ["c"]);
    assert!(found(&store, "potter stone").await.is_empty());
}

/// Decomposed Hangul, full-width Latin, accents.
pub async fn case_and_unicode_form_do_not_matter_to_a_search<H: Harness<Store: SearchStore>>(harness: &H) {
    // The first title is 강남 in decomposed letters.
    let rows = [
        ("a", "\u{1100}\u{1161}\u{11bc}\u{1102}\u{1161}\u{11b7}", ""),
        ("b", "CAFE\u{301}", ""),
        ("c", "ＨＡＲＲＹ", ""),
    ];
    let (store, _) = filled(harness, &rows).await;
    for (query, expected) in [("강남", "a"), ("café", "b"), ("Harry", "c")] {
        assert_eq!(found(&store, query).await, [expected], "{query}");
    }
}

/// Byte ranges on character boundaries, in order, in the field where the match is.
pub async fn highlights_show_what_matched<H: Harness<Store: SearchStore>>(harness: &H) {
    let rows = [("a", "서울시강남구 Harry 강남", "강남역 앞"), ("b", "강남", "없음")];
    let (store, _) = filled(harness, &rows).await;
    let page = search(&store, "강남 harr").await;
    assert_eq!(page.hits.len(), 1);
    let marked: Vec<(&str, Vec<&str>)> = page.hits[0]
        .highlights
        .iter()
        .map(|highlight| {
            let marks = highlight.matches.iter().map(|&(start, end)| &highlight.text[start..end]);
            assert!(
                highlight.matches.is_sorted() && highlight.matches.windows(2).all(|two| two[0].1 <= two[1].0)
            );
            (highlight.field, marks.collect())
        })
        .collect();
    assert_eq!(marked, [("title", vec!["강남", "Harr", "강남"]), ("note", vec!["강남"])]);

    let long = format!("{} 바늘 {}", "짚 ".repeat(2000), "짚 ".repeat(2000));
    let (store, _) = filled(harness, &[("a", "제목", &long)]).await;
    let hit = &search(&store, "바늘").await.hits[0];
    let highlight = &hit.highlights[0];
    assert!(highlight.text.len() < long.len() / 4, "a long text is cut to a piece");
    let (start, end) = highlight.matches[0];
    assert_eq!((highlight.field, &highlight.text[start..end]), ("note", "바늘"));
}

/// A match in the title counts more than one in the note, three matches more than one.
pub async fn important_fields_and_more_matches_rank_higher<H: Harness<Store: SearchStore>>(harness: &H) {
    let rows = [
        ("in-note", "one two three", "potter five six"),
        ("in-title", "potter two three", "four five six"),
        ("thrice", "harry harry harry", "four five six"),
        ("once", "harry two three", "four five six"),
        ("none-1", "one two three", "four five six"),
        ("none-2", "one two three", "four five six"),
        ("none-3", "one two three", "four five six"),
    ];
    let (store, _) = filled(harness, &rows).await;
    assert_eq!(found(&store, "potter").await, ["in-title", "in-note"]);
    assert_eq!(found(&store, "harry").await, ["thrice", "once"]);
    let scores: Vec<f64> = search(&store, "potter").await.hits.iter().map(|hit| hit.score).collect();
    assert!(scores[0] > scores[1], "{scores:?}");
}

/// The newest change first.
pub async fn equal_ranks_are_ordered_by_change_then_key<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[]).await;
    let rows =
        [("d", 5), ("b", 9), ("c", 5), ("a", 2)].map(|(key, at)| row(key, "같은 책", "", "new", 1, at));
    store.apply(&slot, SearchBatch { rows: rows.to_vec(), ..step(1, 9) }).await.unwrap();
    assert_eq!(found(&store, "같은").await, ["b", "c", "d", "a"]);
}

/// Text and conditions together; an undeclared field is a fault.
pub async fn searches_are_narrowed_by_conditions<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[]).await;
    let rows =
        [("a", "책", "new", 10), ("b", "책", "sold", 20), ("c", "책", "new", 30), ("d", "펜", "new", 10)]
            .map(|(key, title, status, price)| row(key, title, "", status, price, 1));
    store.apply(&slot, SearchBatch { rows: rows.to_vec(), ..step(1, 2) }).await.unwrap();
    let narrowed = async |conditions| {
        let page = store.search("books", &SearchQuery { conditions, ..query("책") }).await.unwrap();
        (sorted(keys(&page)), page.total)
    };
    let owned = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(narrowed(vec![Condition::is("status", "new")]).await, (owned(&["a", "c"]), 2));
    let both = vec![Condition::is("status", "new"), Condition::at_least("price", 20)];
    assert_eq!(narrowed(both).await, (owned(&["c"]), 1));
    let undeclared = SearchQuery { conditions: vec![Condition::is("colour", "red")], ..query("책") };
    assert!(store.search("books", &undeclared).await.is_err());
}

/// The total does not depend on the page.
pub async fn searches_are_paged_and_counted<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("other", "펜", "")]).await;
    let rows = (0..25).map(|n| row(&format!("k{n:02}"), "책", "", "new", 1, 100 - n)).collect();
    store.apply(&slot, SearchBatch { rows, ..step(1, 100) }).await.unwrap();
    for (offset, limit, expected) in
        [(0, 10, 0..10), (10, 10, 10..20), (20, 10, 20..25), (25, 10, 0..0), (0, 0, 0..0)]
    {
        let page = SearchQuery { paging: Paging::Page { offset, limit }, ..query("책") };
        let page = store.search("books", &page).await.unwrap();
        let expected: Vec<_> = expected.map(|n| format!("k{n:02}")).collect();
        assert_eq!((keys(&page), page.total), (expected, 25), "after {offset}");
    }
}

/// Nothing was asked for, so nothing is missing.
pub async fn a_query_without_terms_matches_every_document<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "책", "")]).await;
    store
        .apply(&slot, SearchBatch { rows: vec![row("b", "펜", "", "sold", 1, 2)], ..step(1, 2) })
        .await
        .unwrap();
    for text in ["", "  ", "!? —"] {
        assert_eq!(found(&store, text).await, ["b", "a"], "{text:?}");
    }
    let sold = SearchQuery { conditions: vec![Condition::is("status", "sold")], ..query("") };
    assert_eq!(keys(&store.search("books", &sold).await.unwrap()), ["b"]);
}

/// Whatever a person types is text; what is too long is cut.
pub async fn queries_are_not_a_language<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, _) =
        filled(harness, &[("a", "rock and roll near you or not", "c'est \"la\" vie"), ("b", "rock", "")])
            .await;
    for text in [
        "rock AND",
        "\"rock roll",
        "roll*",
        "(roll",
        "title:roll -",
        "NEAR(rock roll)",
        "not roll^",
        "'la' rock;",
    ] {
        let page =
            store.search("books", &query(text)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let expected = if text.starts_with("title") { [""; 0].to_vec() } else { vec!["a"] };
        assert_eq!(keys(&page), expected, "{text}");
    }
    let long = format!("rock {}", " ".repeat(300) + "absent");
    assert_eq!(sorted(found(&store, &long).await), ["a", "b"], "only 200 characters are looked at");
}

/// The index follows the document.
pub async fn changed_text_is_found_by_its_new_terms_only<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "해리포터", "마법")]).await;
    let changed = row("a", "반지의 제왕", "마법", "new", 1, 2);
    store.apply(&slot, SearchBatch { rows: vec![changed.clone()], ..step(1, 2) }).await.unwrap();
    assert!(found(&store, "해리").await.is_empty());
    assert_eq!(found(&store, "반지").await, ["a"]);
    let page = search(&store, "마법").await;
    assert_eq!((page.total, &page.hits[0].row.document), (1, &changed.document));
}

/// Nor are their terms.
pub async fn removed_documents_are_not_found<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "해리포터", ""), ("b", "해리포터", "")]).await;
    let removed = SearchBatch { removed: vec!["a".into(), "unknown".into()], ..step(1, 2) };
    store.apply(&slot, removed).await.unwrap();
    assert_eq!(found(&store, "해리").await, ["b"]);
    let again = SearchBatch { rows: vec![row("a", "돌아온 책", "", "new", 1, 3)], ..step(2, 3) };
    store.apply(&slot, again).await.unwrap();
    assert_eq!(found(&store, "해리").await, ["b"]);
    assert_eq!(found(&store, "돌아온").await, ["a"]);
}

/// As with views.
pub async fn documents_are_loaded_and_scanned<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("b", "x", ""), ("a", "x", ""), ("c", "x", "")]).await;
    let loaded = store.load(&slot, &["c", "x", "a"].map(ViewKey::from)).await.unwrap();
    let loaded: Vec<_> = loaded.iter().map(|view| view.as_ref().map(|view| view.key.as_str())).collect();
    assert_eq!(loaded, [Some("c"), None, Some("a")]);
    let scanned = store.scan(&slot, Some(&"a".into()), 1).await.unwrap();
    let row = row("b", "x", "", "new", 1, 1);
    assert_eq!(scanned, [StoredView { key: row.key, document: row.document, changed_at: row.changed_at }]);
}

/// What verification put right is found, what it took away is not.
pub async fn a_repair_is_indexed<H: Harness<Store: SearchStore>>(harness: &H) {
    let (store, _) = filled(harness, &[("a", "틀린 책", ""), ("b", "틀린 책", "")]).await;
    let right = row("a", "바른 책", "", "new", 1, 1);
    store
        .repair("books", Position::new(1), vec![("a".into(), Some(right)), ("b".into(), None)])
        .await
        .unwrap();
    assert!(found(&store, "틀린").await.is_empty());
    assert_eq!(found(&store, "바른").await, ["a"]);
}

async fn filled<H: Harness<Store: SearchStore>>(
    harness: &H,
    rows: &[(&str, &str, &str)],
) -> (H::Store, Slot) {
    let store = harness.fresh().await;
    let slot = store.open(&SPEC, false).await.unwrap().slot;
    let rows = rows.iter().map(|(key, title, note)| row(key, title, note, "new", 1, 1));
    store.apply(&slot, SearchBatch { rows: rows.collect(), ..step(0, 1) }).await.unwrap();
    (store, slot)
}

fn step(from: u64, to: u64) -> SearchBatch {
    SearchBatch { from: Position::new(from), to: Position::new(to), epoch: 1, rows: vec![], removed: vec![] }
}

fn row(key: &str, title: &str, note: &str, status: &str, price: i64, changed_at: u64) -> SearchRow {
    SearchRow {
        key: key.into(),
        document: Bytes::from(serde_json::json!({ "title": title }).to_string()),
        fields: vec![status.into(), price.into()],
        text: vec![title.into(), note.into()],
        changed_at: Position::new(changed_at),
    }
}

fn query(text: &str) -> SearchQuery {
    SearchQuery { text: text.into(), conditions: vec![], paging: Paging::Page { offset: 0, limit: 100 } }
}

async fn search(store: &impl SearchStore, text: &str) -> SearchPage {
    store.search("books", &query(text)).await.unwrap()
}

async fn found(store: &impl SearchStore, text: &str) -> Vec<String> {
    keys(&search(store, text).await)
}

fn keys(page: &SearchPage) -> Vec<String> {
    page.hits.iter().map(|hit| hit.row.key.to_string()).collect()
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}
