//! What search stores agree on: how text becomes tokens, what a query means, and where it matched.
//!
//! Text is folded (NFKC, lower case) and cut into runs of letters and digits. A run in a script that puts spaces between
//! words is one token and is found by its beginning. A run in a script that does not, such as Korean, becomes the pairs of
//! neighbouring characters and, last, its final character alone, so that any piece of it is found:
//!
//! ```text
//! "서울시 Harry"   index   서울 울시 시 harry
//!                  query   울시 → "울시"    서울시 → "서울" then "울시"    시 → 시*    har → har*
//! ```

use crate::Highlight;
use std::ops::Range;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What a match counts, compared with one in the field before, which is more important.
pub const NEXT_FIELD: f64 = 0.25;

/// The characters of a query that are looked at.
const QUERY_CHARS: usize = 200;
/// The longest piece of a text that a highlight shows, in characters.
const PIECE_CHARS: usize = 160;
/// How much of a longer text stands before its first match, in characters.
const PIECE_LEAD: usize = 40;

/// The tokens to index for a text, in order, repetitions included.
pub fn index_terms(text: &str) -> Vec<String> {
    let folded = fold(text);
    runs(&folded).flat_map(|run| run.tokens()).collect()
}

/// The runs of a text, folded, each behind a space: what a [`needle`](Term::needle) is looked for in.
pub fn folded_runs(text: &str) -> String {
    let folded = fold(text);
    runs(&folded)
        .flat_map(|run| std::iter::once(' ').chain(run.chars.iter().map(|folded| folded.char)))
        .collect()
}

/// What a query asks for, without repetitions. All terms must match; a query without terms matches every document.
pub fn query_terms(text: &str) -> Vec<Term> {
    let end = text.char_indices().nth(QUERY_CHARS).map_or(text.len(), |(index, _)| index);
    let folded = fold(&text[..end]);
    let mut terms: Vec<Term> = Vec::new();
    for run in runs(&folded) {
        let term = Term { text: run.text(), prefix: !run.dense || run.chars.len() == 1 };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// One thing that a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As typed, folded.
    pub text: String,
    /// Whether it matches every token that begins with [`text`](Self::text). Otherwise its [`tokens`](Self::tokens) match
    /// where they stand next to each other.
    pub prefix: bool,
}

impl Term {
    /// The tokens to look for, which must stand in this order with nothing between them. One alone for a prefix.
    pub fn tokens(&self) -> Vec<String> {
        if self.prefix {
            return vec![self.text.clone()];
        }
        let chars: Vec<char> = self.text.chars().collect();
        chars.windows(2).map(String::from_iter).collect()
    }

    /// The piece of [`folded_runs`] that is there as often as the term occurs, where occurrences do not overlap.
    pub fn needle(&self) -> String {
        let dense = self.text.chars().next().is_some_and(is_dense);
        if dense { self.text.clone() } else { format!(" {}", self.text) }
    }

    /// How often the term occurs among the tokens of a text, given as [`index_terms`] made them.
    pub fn count(&self, tokens: &[String]) -> usize {
        if self.prefix {
            return tokens.iter().filter(|token| token.starts_with(&self.text)).count();
        }
        let wanted = self.tokens();
        tokens.windows(wanted.len().max(1)).filter(|window| *window == wanted).count()
    }
}

/// Where the terms of a query occur in a text: `None` if nowhere. A long text is cut to a piece around its first match.
pub fn highlights(field: &'static str, text: &str, query: &[Term]) -> Option<Highlight> {
    let folded = fold(text);
    let mut matches: Vec<Range<usize>> = Vec::new();
    for run in runs(&folded) {
        for term in query {
            run.find(term, &mut matches);
        }
    }
    matches.sort_by_key(|found| (found.start, found.end));
    let first = matches.first()?.start;
    let piece = piece(text, first);
    let mut shown: Vec<(usize, usize)> = Vec::new();
    for found in matches.iter().filter(|found| found.start >= piece.start && found.end <= piece.end) {
        let (start, end) = (found.start - piece.start, found.end - piece.start);
        match shown.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => shown.push((start, end)),
        }
    }
    Some(Highlight { field, text: text[piece].to_owned(), matches: shown })
}

/// The part of `text` to show for a match that starts at the byte `first`.
fn piece(text: &str, first: usize) -> Range<usize> {
    if text.chars().nth(PIECE_CHARS).is_none() {
        return 0..text.len();
    }
    let start = text[..first].char_indices().rev().take(PIECE_LEAD).last().map_or(first, |(index, _)| index);
    let end = text[start..].char_indices().nth(PIECE_CHARS).map_or(text.len(), |(index, _)| start + index);
    start..end
}

/// A folded character and the bytes of the original text that it comes from.
#[derive(Debug)]
struct Folded {
    char: char,
    source: Range<usize>,
}

/// Folds a text cluster by cluster, so that every folded character knows its bytes.
fn fold(text: &str) -> Vec<Folded> {
    let mut folded = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if first.is_ascii() && chars.peek().is_none_or(|(_, next)| next.is_ascii()) {
            folded.push(Folded { char: first.to_ascii_lowercase(), source: start..start + 1 });
            continue;
        }
        let mut end = start + first.len_utf8();
        while let Some((index, next)) = chars.next_if(|(_, next)| joins_previous(*next)) {
            end = index + next.len_utf8();
        }
        let lower = text[start..end].nfkc().flat_map(char::to_lowercase);
        folded.extend(lower.map(|char| Folded { char, source: start..end }));
    }
    folded
}

/// Whether normalisation may merge a character into the one before it.
fn joins_previous(char: char) -> bool {
    is_combining_mark(char)
        || ('\u{1160}'..='\u{11FF}').contains(&char)
        || ('\u{FF9E}'..='\u{FF9F}').contains(&char)
}

/// A run of letters and digits of one kind of script.
struct Run<'a> {
    chars: &'a [Folded],
    /// Whether its script puts no spaces between words.
    dense: bool,
}

fn runs(folded: &[Folded]) -> impl Iterator<Item = Run<'_>> {
    let kind = |folded: &Folded| {
        let wordy = folded.char.is_alphanumeric() || is_combining_mark(folded.char);
        wordy.then(|| is_dense(folded.char))
    };
    folded
        .chunk_by(move |a, b| kind(a) == kind(b))
        .filter_map(move |chars| chars.first().and_then(kind).map(|dense| Run { chars, dense }))
}

/// Scripts that are written without spaces between words, or, like Korean, with particles and compounds run together.
fn is_dense(char: char) -> bool {
    matches!(char,
        '\u{0E00}'..='\u{0EFF}'      // Thai, Lao
        | '\u{1100}'..='\u{11FF}'    // Hangul letters
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' // Kana
        | '\u{3130}'..='\u{318F}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}' // Hangul
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' // Han
        | '\u{20000}'..='\u{3FFFF}')
}

impl Run<'_> {
    fn text(&self) -> String {
        self.chars.iter().map(|folded| folded.char).collect()
    }

    fn tokens(&self) -> Vec<String> {
        if !self.dense {
            return vec![self.text()];
        }
        let pairs = self.chars.windows(2).map(|pair| pair.iter().map(|folded| folded.char).collect());
        let last = self.chars.last().map(|folded| folded.char.to_string());
        pairs.chain(last).collect()
    }

    /// Adds where `term` occurs in this run, in bytes of the original text.
    fn find(&self, term: &Term, matches: &mut Vec<Range<usize>>) {
        let wanted: Vec<char> = term.text.chars().collect();
        let starts = if self.dense { self.chars.len() } else { 1 };
        for window in self.chars.windows(wanted.len().max(1)).take(starts) {
            if window.iter().map(|folded| folded.char).eq(wanted.iter().copied()) {
                matches.push(window[0].source.start..window[window.len() - 1].source.end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        let tokens = index_terms(text);
        let terms = query_terms(query);
        let by_index = terms.iter().all(|term| term.count(&tokens) > 0);
        let by_highlight =
            terms.iter().all(|term| highlights("text", text, std::slice::from_ref(term)).is_some());
        assert_eq!(by_index, by_highlight, "index and highlight disagree on {query:?} in {text:?}");
        let folded = folded_runs(text);
        let by_needle = terms.iter().all(|term| folded.contains(&term.needle()));
        assert_eq!(by_index, by_needle, "index and needle disagree on {query:?} in {text:?}");
        by_index
    }

    fn marked(query: &str, text: &str) -> Vec<String> {
        let found = highlights("text", text, &query_terms(query));
        let Some(Highlight { text, matches, .. }) = found else { return Vec::new() };
        matches.into_iter().map(|(start, end)| text[start..end].to_owned()).collect()
    }

    #[test]
    fn korean_is_found_anywhere_in_a_run() {
        for query in ["강남", "강남구", "남", "구", "서울시강남구", "서울시 테헤란", "로"]
        {
            assert!(finds(query, "서울시강남구 테헤란로"), "{query}");
        }
        for query in ["남강", "강북", "구테", "서울강남"] {
            assert!(!finds(query, "서울시강남구 테헤란로"), "{query}");
        }
        assert!(!finds("가나다", "가나 나다"), "pairs must be neighbours");
        assert_eq!(marked("강남", "서울시강남구 강남대로"), ["강남", "강남"]);
    }

    #[test]
    fn words_are_found_by_their_beginning() {
        let text = "Harry Potter and the Goblet-of-Fire, 4th";
        for query in ["harr", "HARRY pot", "fire", "4", "goblet of fire"] {
            assert!(finds(query, text), "{query}");
        }
        for query in ["arry", "otter", "harryp", "th2"] {
            assert!(!finds(query, text), "{query}");
        }
        assert_eq!(marked("harr f", text), ["Harr", "F"]);
    }

    #[test]
    fn scripts_mix() {
        for query in ["Potter 해리", "해리", "potter해리", "포터와 pot"] {
            assert!(finds(query, "해리포터와 Potter"), "{query}");
        }
        assert!(!finds("Potter 헤리", "해리포터와 Potter"));
        assert!(finds("東京", "新東京大学") && finds("ガンダム", "ｶﾞﾝﾀﾞﾑ"));
    }

    #[test]
    fn case_and_unicode_form_do_not_matter() {
        let decomposed: String = "강남 Café".nfd().collect();
        assert!(finds("강남 café", &decomposed));
        assert!(finds(&decomposed, "강남 CAFÉ"));
        assert!(finds("ＨＡＲＲＹ", "harry") && finds("éclair", "ÉCLAIR"));
        assert_eq!(marked("강남", &decomposed).concat().nfc().collect::<String>(), "강남");
    }

    #[test]
    fn queries_are_bounded_and_may_be_empty() {
        assert!(query_terms(" \t!?").is_empty() && index_terms("—").is_empty());
        assert_eq!(query_terms(&"책 ".repeat(300)).len(), 1);
        let long = format!("{} tail", "x".repeat(QUERY_CHARS));
        assert_eq!(query_terms(&long).len(), 1);
        assert!(highlights("text", "Harry", &[]).is_none());
    }

    #[test]
    fn long_texts_are_cut_around_the_first_match() {
        let text = format!("{}바늘 needle{}", "짚 ".repeat(500), " 짚".repeat(500));
        let found = highlights("text", &text, &query_terms("바늘 needle")).unwrap();
        assert!(found.text.chars().count() <= PIECE_CHARS);
        let marked: Vec<_> = found.matches.iter().map(|&(start, end)| &found.text[start..end]).collect();
        assert_eq!(marked, ["바늘", "needle"]);
    }

    #[test]
    fn overlapping_matches_become_one() {
        assert_eq!(marked("강남 남구", "서울강남구"), ["강남구"]);
        assert_eq!(marked("har harry", "Harry"), ["Harry"]);
    }
}
