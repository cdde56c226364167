//! Questions about the catalogue.

use bytes::Bytes;
use commerce_domain::{
    books::Book,
    projections::{BookSearch, BookView, BookViews},
};
use futures::future::try_join_all;
use gallae_core::{Id, Projection, ViewKey};
use gallae_ports::{
    Condition, Order, Paging, SearchQuery, SearchStore, StoreFault, ViewPage, ViewQuery, ViewStore,
};

/// One book; it may be deleted, or be known by its stock alone.
///
/// # Errors
/// When the store cannot be read or the document does not fit the program.
pub async fn by_id(views: &dyn ViewStore, id: Id<Book>) -> Result<Option<BookView>, StoreFault> {
    let stored = views.get(BookViews::NAME, &ViewKey::from(id.to_string())).await?;
    stored.map(|stored| read(&stored.document)).transpose()
}

/// Listed books of an author, or of all, in an order; with how many there are.
///
/// # Errors
/// When the store cannot be read or a document does not fit the program.
pub async fn listed(
    views: &dyn ViewStore,
    author: Option<&str>,
    order: Order,
    paging: Paging,
) -> Result<(Vec<BookView>, ViewPage), StoreFault> {
    let mut conditions = vec![Condition::is("listed", 1)];
    conditions.extend(author.map(|author| Condition::is("author", author)));
    let count = matches!(paging, Paging::Page { .. });
    let page =
        views.query(BookViews::NAME, &ViewQuery { conditions, order: Some(order), paging, count }).await?;
    let books = page.rows.iter().map(|row| read(&row.document)).collect::<Result<_, _>>()?;
    Ok((books, page))
}

/// Books whose title, author or number match a text, best first; and how many do.
///
/// # Errors
/// When a store cannot be read or a document does not fit the program.
pub async fn matching(
    search: &dyn SearchStore,
    views: &dyn ViewStore,
    text: &str,
    author: Option<&str>,
    paging: Paging,
) -> Result<(Vec<BookView>, u64), StoreFault> {
    let conditions = author.map(|author| Condition::is("author", author)).into_iter().collect();
    let query = SearchQuery { text: text.to_owned(), conditions, paging };
    let found = search.search(BookSearch::NAME, &query).await?;
    let books = found.hits.iter().map(|hit| views.get(BookViews::NAME, &hit.row.key));
    let books = try_join_all(books).await?.into_iter().flatten();
    let books = books.map(|stored| read(&stored.document)).collect::<Result<_, _>>()?;
    Ok((books, found.total))
}

fn read(document: &Bytes) -> Result<BookView, StoreFault> {
    serde_json::from_slice(document)
        .map_err(|error| StoreFault::new("reading the view of a book; rebuild book-views").because(error))
}
