//! A body that is made while it is sent.

use std::any::Any;

use crate::BoxFuture;

/// The body of an answer that has no end which is known. It goes on until its source has no more, or until nobody reads
/// it: then it is dropped.
pub struct Stream {
    /// `Content-Type`.
    pub content_type: &'static str,
    source: Box<dyn StreamSource>,
    kept: Vec<Box<dyn Any + Send>>,
}

/// What makes the parts of a [`Stream`].
pub trait StreamSource: Send {
    /// Waits for the next part; `None` is the end. After a future that was dropped half-way nothing more is asked.
    fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>>;
}

impl Stream {
    /// What `source` makes.
    pub fn new(content_type: &'static str, source: impl StreamSource + 'static) -> Self {
        Self { content_type, source: Box::new(source), kept: Vec::new() }
    }

    /// See [`StreamSource::part`].
    pub fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>> {
        self.source.part()
    }

    /// Drops `what` together with the stream.
    pub fn keep(&mut self, what: impl Any + Send) {
        self.kept.push(Box::new(what));
    }
}
