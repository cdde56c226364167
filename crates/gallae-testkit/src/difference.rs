//! Two values side by side, for people.

use std::fmt::Debug;

/// The pretty forms of both, line by line: `-` expected and missing, `+` there and not expected. `None` if they are alike.
pub(crate) fn difference<E: Debug + ?Sized, A: Debug + ?Sized>(expected: &E, actual: &A) -> Option<String> {
    let (expected, actual) = (format!("{expected:#?}"), format!("{actual:#?}"));
    let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    (expected != actual).then(|| lines(&expected, &actual))
}

/// By the longest common subsequence.
fn lines(expected: &[&str], actual: &[&str]) -> String {
    let mut common = vec![vec![0_usize; actual.len() + 1]; expected.len() + 1];
    for e in (0..expected.len()).rev() {
        for a in (0..actual.len()).rev() {
            common[e][a] = match expected[e] == actual[a] {
                true => common[e + 1][a + 1] + 1,
                false => common[e + 1][a].max(common[e][a + 1]),
            };
        }
    }
    let (mut e, mut a, mut text) = (0, 0, String::new());
    while e < expected.len() || a < actual.len() {
        let (mark, line) = if e < expected.len() && a < actual.len() && expected[e] == actual[a] {
            (e, a) = (e + 1, a + 1);
            (' ', expected[e - 1])
        } else if a == actual.len() || (e < expected.len() && common[e + 1][a] >= common[e][a + 1]) {
            e += 1;
            ('-', expected[e - 1])
        } else {
            a += 1;
            ('+', actual[a - 1])
        };
        text.push_str(&format!("  {mark} {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        assert_eq!(difference(&[1, 2], &[1, 2]), None);
        let expected = "    [\n      1,\n  -     2,\n  +     3,\n      4,\n    ]\n";
        let shown = difference(&[1, 2, 4], &[1, 3, 4]).unwrap();
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&shown), squeezed(expected));
    }
}
