//! Reading Rust just well enough to tell code from comments, strings and tests.

/// A Rust file, taken apart.
#[derive(Debug)]
pub(super) struct Source {
    /// The code, with comments and the insides of strings blanked; lines stay where they are.
    pub(super) code: String,
    /// The same without what only tests compile.
    pub(super) shipped: String,
    pub(super) strings: Vec<Literal>,
}

/// The inside of a string literal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) in_test: bool,
}

impl Source {
    pub(super) fn read(path: &str, text: &str) -> Self {
        let (code, mut strings) = Lexer::new(text).run();
        let all_test = is_test_file(path) || code.contains("#![cfg(test)]");
        let shipped = if all_test { blank(&code, 0, code.len()) } else { without_tests(&code) };
        let shipped_lines: Vec<_> = shipped.lines().collect();
        for literal in &mut strings {
            // A string keeps its quotes in the code; where they are gone, so is what is shipped.
            literal.in_test = !shipped_lines.get(literal.line - 1).is_some_and(|line| line.contains('"'));
        }
        Self { code, shipped, strings }
    }
}

/// Numbered lines of `code` that hold `word`, not as the tail of a longer name.
pub(super) fn lines_with<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts_name = |line: &str, at: usize| {
        !line[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    };
    code.lines()
        .enumerate()
        .filter(move |(_, line)| line.match_indices(word).any(|(at, _)| starts_name(line, at)))
        .map(|(index, _)| index + 1)
}

fn is_test_file(path: &str) -> bool {
    let mut folders = path.split('/');
    let file = folders.next_back().unwrap_or_default();
    folders.any(|folder| folder == "tests" || folder == "benches") || file == "tests.rs"
}

/// Blanks every item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut shipped = code.to_owned();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        while let Some(start) = shipped.find(mark) {
            let end = item_end(&shipped, start + mark.len());
            shipped = blank(&shipped, start, end);
        }
    }
    shipped
}

/// Where the item after `from` ends: at its `;`, or where its braces close.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_u32;
    for (at, letter) in code[from..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return from + at + 1;
                }
            }
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(code: &str, start: usize, end: usize) -> String {
    let inside: String =
        code[start..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
    format!("{}{inside}{}", &code[..start], &code[end..])
}

struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    code: String,
    line: usize,
    strings: Vec<Literal>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars().peekable(), code: String::new(), line: 1, strings: Vec::new() }
    }

    fn run(mut self) -> (String, Vec<Literal>) {
        while let Some(letter) = self.rest.peek().copied() {
            match letter {
                '/' => self.comment_or_slash(),
                '"' => self.string(),
                '\'' => self.character_or_lifetime(),
                _ if letter.is_alphabetic() || letter == '_' => self.word(),
                _ => self.keep(),
            }
        }
        (self.code, self.strings)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        if letter == '\n' {
            self.line += 1;
        }
        Some(letter)
    }

    fn keep(&mut self) {
        if let Some(letter) = self.next() {
            self.code.push(letter);
        }
    }

    /// Takes a letter that is not code.
    fn hide(&mut self) -> Option<char> {
        let letter = self.next()?;
        self.code.push(if letter == '\n' { '\n' } else { ' ' });
        Some(letter)
    }

    fn comment_or_slash(&mut self) {
        let mut ahead = self.rest.clone();
        ahead.next();
        match ahead.peek() {
            Some('/') => {
                while self.rest.peek().is_some_and(|letter| *letter != '\n') {
                    self.hide();
                }
            }
            Some('*') => self.block_comment(),
            _ => self.keep(),
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            let Some(letter) = self.hide() else { return };
            match (letter, self.rest.peek()) {
                ('/', Some('*')) => {
                    self.hide();
                    depth += 1;
                }
                ('*', Some('/')) => {
                    self.hide();
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// From its opening quote, with escapes.
    fn string(&mut self) {
        let line = self.line;
        let mut text = String::new();
        self.keep();
        while let Some(letter) = self.rest.peek().copied() {
            if letter == '"' {
                break;
            }
            text.extend(self.hide());
            if letter == '\\' {
                text.extend(self.hide());
            }
        }
        self.keep();
        self.strings.push(Literal { line, text, in_test: false });
    }

    /// After `r`, `br` or `cr`: hashes, a quote, anything, the quote and as many hashes.
    fn raw_string(&mut self) {
        let line = self.line;
        let mut hashes = 0;
        while self.rest.peek() == Some(&'#') {
            self.keep();
            hashes += 1;
        }
        if self.rest.peek() != Some(&'"') {
            return;
        }
        self.keep();
        let end = format!("\"{}", "#".repeat(hashes));
        let mut text = String::new();
        while self.rest.peek().is_some() {
            if self.rest.clone().take(end.len()).eq(end.chars()) {
                (0..end.len()).for_each(|_| self.keep());
                break;
            }
            text.extend(self.hide());
        }
        self.strings.push(Literal { line, text, in_test: false });
    }

    /// `'a'` and `'\n'` are characters; `'a` alone is a lifetime.
    fn character_or_lifetime(&mut self) {
        self.keep();
        let mut ahead = self.rest.clone();
        let first = ahead.next();
        if first == Some('\\') {
            self.hide();
            self.hide();
            while self.rest.peek().is_some_and(|letter| *letter != '\'') {
                self.hide();
            }
            self.keep();
        } else if ahead.next() == Some('\'') {
            self.hide();
            self.keep();
        }
    }

    /// A name or keyword, or the prefix of a raw string.
    fn word(&mut self) {
        let start = self.code.len();
        while self.rest.peek().is_some_and(|letter| letter.is_alphanumeric() || *letter == '_') {
            self.keep();
        }
        if matches!(&self.code[start..], "r" | "br" | "cr") && matches!(self.rest.peek(), Some('"' | '#')) {
            self.raw_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Source {
        Source::read("crates/a/src/lib.rs", text)
    }

    #[test]
    fn tells_code_from_comments_and_strings() {
        let source =
            read("let a = \"SELECT // 1\"; // todo!()\n/* /* x */ y */ let b = r#\"say \"hi\"\"#;\n");
        assert_eq!(source.code.lines().count(), 2);
        assert!(
            !source.code.contains("todo!") && !source.code.contains("SELECT") && !source.code.contains('y')
        );
        assert!(source.code.contains("let b = r#\""));
        let texts: Vec<_> = source.strings.iter().map(|one| (one.line, one.text.as_str())).collect();
        assert_eq!(texts, [(1, "SELECT // 1"), (2, "say \"hi\"")]);
    }

    #[test]
    fn tells_characters_from_lifetimes() {
        let source = read("fn f<'a>(x: &'a str) { g('\"', '\\'', '\\u{41}', b'\"'); todo!() }");
        assert!(source.strings.is_empty(), "{source:?}");
        assert!(source.code.contains("todo!()"));
    }

    #[test]
    fn leaves_out_what_only_tests_compile() {
        let text = "fn a() { one(\"x\") }\n#[cfg(test)]\nmod tests {\n fn b() { two(\"y\") }\n}\nfn c() { three() }\n";
        let source = read(text);
        assert!(source.shipped.contains("one") && source.shipped.contains("three"));
        assert!(!source.shipped.contains("two"));
        assert!(source.code.contains("two"));
        assert_eq!(source.strings.iter().map(|one| one.in_test).collect::<Vec<_>>(), [false, true]);
        assert!(Source::read("crates/a/tests/it.rs", "fn a() {}").shipped.trim().is_empty());
        assert!(read("#[cfg(test)]\nmod tests;\nfn a() {}").shipped.contains("fn a"));
    }

    #[test]
    fn finds_a_word_but_not_the_tail_of_a_longer_one() {
        let code = "use std::env;\nlet operand = 1;\nmy_env::x();\nenv::var(x);";
        assert_eq!(lines_with(code, "env::").collect::<Vec<_>>(), [4]);
        assert_eq!(lines_with(code, "rand").count(), 0);
    }
}
