//! Books: the catalogue. What is on the shelf is told by [`stock`](crate::stock).

pub mod commands;
mod details;

pub use details::{BookDetails, BookPatch};

use gallae_core::{Aggregate, Event, Rejection, RejectionKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happened to a book. Each event carries the whole book as it is from then on.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum BookEvent {
    /// It came into the catalogue.
    #[event(name = "BookCreated", version = 1)]
    Created(BookDetails),
    /// Something about it changed.
    #[event(name = "BookUpdated", version = 1)]
    Updated(BookDetails),
    /// It left the catalogue. Orders that name it stay as they are.
    #[event(name = "BookDeleted", version = 1)]
    Deleted {},
}

/// One title of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    details: Option<BookDetails>,
    deleted: bool,
}

/// How a book says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookRejection {
    /// Nothing in the catalogue has this id, or it was deleted.
    #[error("there is no such book")]
    NotFound,
    /// Another book has this id.
    #[error("this book exists already, with other details")]
    AlreadyExists,
    /// Ids are not used again.
    #[error("this book was deleted; create it under a new id")]
    Deleted,
    /// A detail is not acceptable.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which, as in JSON.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Rejection for BookRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "BOOK_NOT_FOUND",
            Self::AlreadyExists => "BOOK_ALREADY_EXISTS",
            Self::Deleted => "BOOK_DELETED",
            Self::Invalid { .. } => "INVALID_BOOK",
        }
    }

    fn kind(&self) -> RejectionKind {
        match self {
            Self::NotFound => RejectionKind::NotFound,
            Self::AlreadyExists | Self::Deleted => RejectionKind::Conflict,
            Self::Invalid { .. } => RejectionKind::Unprocessable,
        }
    }

    fn facts(&self) -> Value {
        match self {
            Self::Invalid { field, problem } => json!({ "field": field, "problem": problem }),
            _ => Value::Null,
        }
    }
}

impl Aggregate for Book {
    const TYPE: &'static str = "book";
    type Event = BookEvent;
    type Rejection = BookRejection;

    fn evolve(&mut self, event: &BookEvent) {
        match event {
            BookEvent::Created(details) | BookEvent::Updated(details) => self.details = Some(details.clone()),
            BookEvent::Deleted {} => self.deleted = true,
        }
    }
}

impl Book {
    /// What the catalogue says, while it lists the book.
    pub fn listed(&self) -> Option<&BookDetails> {
        self.details.as_ref().filter(|_| !self.deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::commands::{BookChange, CreateBook, DeleteBook, UpdateBook};
    use super::*;
    use crate::given::{given, when};
    use crate::money::{Currency, Money};
    use gallae_core::Id;
    use uuid::Uuid;

    fn details() -> BookDetails {
        BookDetails {
            title: "The Hunger Games".into(),
            author: "Suzanne Collins".into(),
            isbn: Some("9780439023481".into()),
            description: None,
            price: Money::new(15_000, Currency::Krw),
            published_year: Some(2008),
            language: Some("eng".into()),
        }
    }

    fn book() -> Id<Book> {
        Id::new(Uuid::from_u128(1))
    }

    fn create(details: BookDetails) -> CreateBook {
        CreateBook { book: book(), details }
    }

    fn update(change: BookChange) -> UpdateBook {
        UpdateBook { book: book(), change }
    }

    #[test]
    fn is_created_once() {
        assert_eq!(when(&given(&[]), &create(details())), Ok(vec![BookEvent::Created(details())]));
        let state = given(&[BookEvent::Created(details())]);
        assert_eq!(when(&state, &create(details())), Ok(vec![]));
        let other = BookDetails { title: "Other".into(), ..details() };
        assert_eq!(when(&state, &create(other)), Err(BookRejection::AlreadyExists));
    }

    #[test]
    fn unacceptable_details_are_named() {
        type Spoil = fn(&mut BookDetails);
        let wrong: [(&str, Spoil); 6] = [
            ("title", |book| book.title = " ".into()),
            ("author", |book| book.author = "x".repeat(501)),
            ("price", |book| book.price.amount = 0),
            ("isbn", |book| book.isbn = Some("12-34".into())),
            ("publishedYear", |book| book.published_year = Some(40_000)),
            ("language", |book| book.language = Some(String::new())),
        ];
        for (expected, spoil) in wrong {
            let mut spoilt = details();
            spoil(&mut spoilt);
            let refused = when(&given(&[]), &create(spoilt)).unwrap_err();
            assert!(
                matches!(refused, BookRejection::Invalid { field, .. } if field == expected),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_clears_what_it_nulls() {
        let state = given(&[BookEvent::Created(details())]);
        let patch: BookPatch =
            serde_json::from_str(r#"{"price":{"amount":9000,"currency":"KRW"},"isbn":null}"#).unwrap();
        let expected = BookDetails { price: Money::new(9_000, Currency::Krw), isbn: None, ..details() };
        let events = when(&state, &update(BookChange::Patch(patch)));
        assert_eq!(events, Ok(vec![BookEvent::Updated(expected)]));
        assert_eq!(when(&state, &update(BookChange::Patch(BookPatch::default()))), Ok(vec![]));
        assert!(serde_json::from_str::<BookPatch>(r#"{"titel":"x"}"#).is_err());
    }

    #[test]
    fn a_replacement_replaces_everything() {
        let state = given(&[BookEvent::Created(details())]);
        let other = BookDetails { description: Some("New".into()), isbn: None, ..details() };
        let events = when(&state, &update(BookChange::Replace(other.clone())));
        assert_eq!(events, Ok(vec![BookEvent::Updated(other)]));
    }

    #[test]
    fn what_is_deleted_stays_deleted() {
        let state: Book = given(&[BookEvent::Created(details()), BookEvent::Deleted {}]);
        assert_eq!(state.listed(), None);
        assert_eq!(when(&state, &DeleteBook { book: book() }), Ok(vec![]));
        assert_eq!(when(&state, &create(details())), Err(BookRejection::Deleted));
        let patch = update(BookChange::Patch(BookPatch::default()));
        assert_eq!(when(&state, &patch), Err(BookRejection::NotFound));
        assert_eq!(when(&given(&[]), &DeleteBook { book: book() }), Err(BookRejection::NotFound));
    }
}
