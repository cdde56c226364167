//! Books: the real file, and each trap by itself.

use commerce_import::ReadError;
use commerce_import::books::{self, BookRow, Reason};
use commerce_import::isbn::Isbn;
use std::collections::BTreeSet;

const FILE: &[u8] = include_bytes!("../../data/books/books.csv");
const HEADER: &str =
    "book_id,isbn,isbn13,authors,original_publication_year,original_title,title,language_code,image_url";

fn small(lines: &str) -> books::Books {
    books::read(format!("{HEADER}\n{lines}\n").as_bytes()).unwrap()
}

fn only(line: &str) -> BookRow {
    let books = small(line);
    assert_eq!(books.rejected, []);
    books.rows.into_iter().next().unwrap()
}

/// Counted in the file with another CSV reader: 1,000 rows, 23 empty `isbn`, one `isbn` with a wrong check digit
/// (line 917 of the file holds `812971060`), 29 empty `language_code`, 2 without a year, 5 with a negative one,
/// 20 empty `original_title`.
#[test]
fn real_file_is_read_whole() {
    let books = books::read(FILE).unwrap();
    assert_eq!((books.lines_in, books.rows.len(), books.rejected.len()), (1_000, 1_000, 0));
    let count = |test: fn(&BookRow) -> bool| books.rows.iter().filter(|row| test(row)).count();
    assert_eq!(count(|row| row.isbn == Isbn::Missing), 23);
    assert_eq!(count(|row| matches!(&row.isbn, Isbn::Invalid(text) if text == "812971060")), 1);
    assert_eq!(count(|row| matches!(row.isbn, Isbn::Valid(_))), 976);
    assert_eq!(count(|row| row.language.is_none()), 29);
    assert_eq!(count(|row| row.year.is_none()), 2);
    assert_eq!(count(|row| row.year.is_some_and(|year| year < 0)), 5);
    assert_eq!(count(|row| row.original_title.is_none()), 20);
    assert_eq!(count(|row| !row.title.is_ascii()), 5);
    assert_eq!(books.rows.iter().map(|row| row.book_id).collect::<BTreeSet<_>>().len(), 1_000);
}

#[test]
fn first_row_reads_as_printed() {
    let books = books::read(FILE).unwrap();
    let first = &books.rows[0];
    assert_eq!((first.line, first.book_id), (2, 1));
    assert!(matches!(&first.isbn, Isbn::Valid(isbn) if isbn.as_str() == "9780439023481"));
    assert_eq!(first.authors, ["Suzanne Collins"]);
    assert_eq!(first.year, Some(2008));
    assert_eq!(first.title, "The Hunger Games (The Hunger Games, #1)");
    assert_eq!(first.original_title.as_deref(), Some("The Hunger Games"));
    assert_eq!(first.language.as_deref(), Some("eng"));
    assert_eq!((first.price_krw, first.stock), (17_700, 57));
    assert_eq!(books.rows[1].authors, ["J.K. Rowling", "Mary GrandPré"]);
}

#[test]
fn prices_and_stock_follow_their_rules() {
    for id in 0..20_000 {
        let price = books::price_krw(id);
        assert!((8_000..=38_000).contains(&price) && price % 100 == 0, "{id}: {price}");
        assert!((20..=200).contains(&books::stock(id)), "{id}");
    }
    assert_eq!((0..301).map(books::price_krw).collect::<BTreeSet<_>>().len(), 301, "every price occurs");
    assert!(books::price_krw(u32::MAX) <= 38_000 && books::stock(u32::MAX) <= 200);
}

#[test]
fn same_bytes_give_the_same_rows() {
    assert_eq!(books::read(FILE).unwrap(), books::read(FILE).unwrap());
}

#[test]
fn digits_lost_by_the_float_come_from_the_isbn10() {
    let row = only("2,439554934,9.78043955493e+12,A,1997.0,,T,eng,");
    assert!(matches!(&row.isbn, Isbn::Valid(isbn) if isbn.as_str() == "9780439554930"));
    let without = only("2,,9.78043955493e+12,A,1997.0,,T,,");
    assert_eq!((without.isbn, without.language, without.original_title), (Isbn::Missing, None, None));
}

#[test]
fn years_before_the_common_era_and_missing_ones() {
    assert_eq!(only("1,,,Homer,-720.0,,Iliad,eng,").year, Some(-720));
    assert_eq!(only("1,,,Homer,,,Iliad,eng,").year, None);
}

#[test]
fn letters_beyond_ascii_and_blanks_around_text() {
    let row = only(r#"1,,," Gabriel García Márquez ,무명",1967.0,"Cien años ","  Años, soledad ",spa,"#);
    assert_eq!(row.authors, ["Gabriel García Márquez", "무명"]);
    assert_eq!((row.title.as_str(), row.original_title.as_deref()), ("Años, soledad", Some("Cien años")));
}

#[test]
fn bad_lines_are_rejected_alone_with_their_number() {
    let books = small(
        "1,,,A,,,T,,\nx,,,A,,,T,,\n2,,,A,soon,,T,,\n3,,,\" , \",,,T,,\n4,,,A,,,,,\n1,,,B,,,U,,\nshort,line\n5,,,A,,,\"a\nb\",,\n6,,,A,,,T,,",
    );
    let reasons: Vec<_> = books.rejected.iter().map(|r| (r.line, r.reason.code())).collect();
    assert_eq!(
        reasons,
        [
            (3, "BAD_FIELD"),
            (4, "BAD_FIELD"),
            (5, "BAD_FIELD"),
            (6, "BAD_FIELD"),
            (7, "DUPLICATE"),
            (8, "UNREADABLE")
        ]
    );
    assert_eq!(books.rejected[4].reason, Reason::Duplicate { book_id: 1, first_line: 2 });
    let lines: Vec<_> = books.rows.iter().map(|row| (row.book_id, row.line)).collect();
    assert_eq!(lines, [(1, 2), (5, 9), (6, 11)], "a title over two lines does not shift the numbers");
    assert_eq!(books.lines_in as usize, books.rows.len() + books.rejected.len());
}

#[test]
fn another_file_is_refused_by_its_header() {
    let fault = books::read("InvoiceNo,StockCode\n1,2\n".as_bytes()).unwrap_err();
    assert!(matches!(fault, ReadError::MissingColumn { column: "book_id" }), "{fault}");
}
