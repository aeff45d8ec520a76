//! Lists, page by page.
//!
//! Invariant: without `--limit` everything is given, however many pages that takes; with it one page, and where it ended.

use std::fmt::Display;

use callboard_protocol::ListLimit;
use callboard_protocol::methods::{Verb, agent, kv, lock, message, server, task};
use clap::Args;
use serde::Serialize;

use crate::context::Session;
use crate::failure::Failure;
use crate::output::Output;

/// How much of a list to give.
#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// Give one page of at most this many entries [default: all]
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    limit: Option<ListLimit>,
    /// Go on where the last page ended (its "cursor")
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

fn limit(text: &str) -> Result<ListLimit, String> {
    let number = text.parse().ok().and_then(ListLimit::new);
    number.ok_or_else(|| format!("it may be {} to {}", ListLimit::MIN.get(), ListLimit::MAX.get()))
}

/// A method that gives a list.
pub trait Listing: Verb {
    /// Asks for the page of `limit` entries that begins at `cursor`.
    fn turn_to(&mut self, limit: ListLimit, cursor: Option<String>);
    /// Where `page` ended, while more follows.
    fn cursor(page: &Self::Result) -> Option<&str>;
}

macro_rules! listing {
    ($($params:ty),* $(,)?) => { $(
        impl Listing for $params {
            fn turn_to(&mut self, limit: ListLimit, cursor: Option<String>) {
                self.limit = Some(limit);
                self.cursor = cursor;
            }
            fn cursor(page: &Self::Result) -> Option<&str> {
                page.cursor.as_deref()
            }
        }
    )* };
}

listing!(kv::List, lock::List, agent::List, message::List, server::ListNamespaces, task::List);

impl PageArgs {
    /// Whether only a part of the list is asked for.
    pub fn is_partial(&self) -> bool {
        self.limit.is_some() || self.cursor.is_some()
    }
}

/// Every page of a list.
///
/// # Errors
/// The daemon's.
pub async fn pages<V: Listing>(
    session: &Session,
    what: impl Display,
    mut params: V,
) -> Result<Vec<V::Result>, Failure> {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        params.turn_to(ListLimit::MAX, cursor);
        let page = session.call(&what, &params).await?;
        cursor = V::cursor(&page).map(str::to_owned);
        pages.push(page);
        if cursor.is_none() {
            return Ok(pages);
        }
    }
}

/// Asks for the pages. With `--json` each is printed on its line; `people` gets all of them otherwise.
///
/// # Errors
/// The daemon's, and when standard output can't be written.
pub async fn print_list<V: Listing>(
    session: &Session,
    output: Output,
    what: impl Display,
    params: V,
    page: &PageArgs,
    people: impl FnOnce(Output, Vec<V::Result>) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    V::Result: Serialize,
{
    print_lists(session, output, what, vec![params], page, people).await
}

/// As [`print_list`], for several lists that people see as one.
///
/// # Errors
/// As [`print_list`].
pub async fn print_lists<V: Listing>(
    session: &Session,
    output: Output,
    what: impl Display,
    lists: Vec<V>,
    page: &PageArgs,
    people: impl FnOnce(Output, Vec<V::Result>) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    V::Result: Serialize,
{
    let mut pages = Vec::new();
    let mut rest = None;
    for mut params in lists {
        let mut cursor = page.cursor.clone();
        loop {
            params.turn_to(page.limit.unwrap_or(ListLimit::MAX), cursor.take());
            let result = session.call(&what, &params).await?;
            let next = V::cursor(&result).map(str::to_owned);
            if output.is_json() {
                output.json(&result)?;
            } else {
                pages.push(result);
            }
            match next {
                Some(next) if page.limit.is_none() => cursor = Some(next),
                next => {
                    rest = next;
                    break;
                }
            }
        }
    }
    if output.is_json() {
        return Ok(());
    }
    people(output, pages)?;
    if let Some(rest) = rest {
        output.note(format_args!("more: --cursor {rest}"));
    }
    Ok(())
}
