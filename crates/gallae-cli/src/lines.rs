//! Long answers, line by line: newline-delimited JSON and server-sent events.

use crate::{Exit, Failure};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use serde_json::Value;
use std::fmt;

/// Longest line accepted; a server that sends more is not ours.
const LONGEST: usize = 16 * 1024 * 1024;

/// The lines of an answer as they come.
pub struct Lines {
    body: BoxStream<'static, Result<Bytes, Failure>>,
    buffer: Vec<u8>,
    /// Where the search for the next line feed goes on.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(body: BoxStream<'static, Result<Bytes, Failure>>) -> Self {
        Self { body, buffer: Vec::new(), searched: 0 }
    }

    /// The next line without its end, or `None` at the end of the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            if let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + found;
                let line = String::from_utf8_lossy(&self.buffer[..end]).trim_end_matches('\r').to_owned();
                self.buffer.drain(..=end);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LONGEST {
                return Err(Failure::new(Exit::Unavailable, "the server sent a line that is too long"));
            }
            match self.body.next().await {
                Some(chunk) => self.buffer.extend_from_slice(&chunk?),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let rest = String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned();
                    self.searched = 0;
                    return Ok(Some(rest));
                }
            }
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its name; `message` if it has none.
    pub event: String,
    /// Its data, as JSON; null if it is not.
    pub data: Value,
}

/// The server-sent events of an answer as they come.
#[derive(Debug)]
pub struct Frames {
    lines: Lines,
}

impl Frames {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines }
    }

    /// The next event, or `None` at the end of the answer. Comments are skipped.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        let (mut event, mut data) = ("message".to_owned(), String::new());
        while let Some(line) = self.lines.next().await? {
            match line.split_once(':').map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value))) {
                Some(("event", name)) => event = name.to_owned(),
                Some(("data", more)) => {
                    if !data.is_empty() {
                        data.push('\n');
                    }
                    data.push_str(more);
                }
                None if line.is_empty() && !data.is_empty() => {
                    let data = serde_json::from_str(&data).unwrap_or(Value::Null);
                    return Ok(Some(Frame { event, data }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use serde_json::json;

    fn lines(chunks: &[&'static [u8]]) -> Lines {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        Lines::new(stream::iter(chunks).boxed())
    }

    #[tokio::test]
    async fn lines_survive_being_cut_anywhere() {
        let whole = "{\"제목\":1}\r\nb\n\nlast".as_bytes();
        for cut in 0..whole.len() {
            let (left, right) = whole.split_at(cut);
            let mut lines = lines(&[left, right]);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                all.push(line);
            }
            assert_eq!(all, ["{\"제목\":1}", "b", "", "last"], "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn events_are_read_with_their_names() {
        let mut frames = Frames::new(lines(&[b": hello\n\nevent: progress\ndata: {\"done\":", b"1}\n\ndata: x\n\n"]));
        let first = frames.next().await.unwrap().unwrap();
        assert_eq!((first.event.as_str(), first.data), ("progress", json!({"done": 1})));
        assert_eq!(frames.next().await.unwrap().unwrap(), Frame { event: "message".into(), data: Value::Null });
        assert_eq!(frames.next().await.unwrap(), None);
    }
}
