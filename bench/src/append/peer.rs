//! The contract of an event store over a plain ordered map: one thread that writes, as ours has.

use super::load::{Append, Target};
use crate::Failure;
use gallae_core::{StoredMetadata, StreamId};
use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// What one commit takes at most.
const GROUP: usize = 2_000;

/// A database that stores what the writer decided.
pub(super) trait Engine: Send + 'static {
    /// The last versions of streams; 0 where there is none.
    fn heads(&self, streams: &[&StreamId]) -> Result<Vec<u64>, Failure>;

    /// Writes all of it in one durable commit.
    fn write(&mut self, group: &Group) -> Result<(), Failure>;
}

/// What one commit writes.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) events: Vec<Record>,
    pub(super) heads: HashMap<StreamId, u64>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) position: u64,
    /// The stream's name and the version, both in the order of bytes.
    pub(super) place: Vec<u8>,
    /// The envelope and the payload.
    pub(super) bytes: Vec<u8>,
}

struct Request {
    stream: StreamId,
    expected: u64,
    bytes: Vec<u8>,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal;

/// An event store on an engine.
#[derive(Debug)]
pub(super) struct Peer {
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl Peer {
    pub(super) fn start(engine: impl Engine) -> Result<Self, Failure> {
        let (requests, receiver) = mpsc::channel();
        let writer = thread::Builder::new().name("peer-writer".into()).spawn(move || {
            let mut writer = Writer { engine, heads: HashMap::new(), position: 0 };
            if let Err(error) = writer.run(&receiver) {
                eprintln!("the writer failed: {error}");
            }
        })?;
        Ok(Self { requests: Some(requests), writer: Some(writer) })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Target for Peer {
    async fn append(&self, append: Append) -> Result<(), Failure> {
        let bytes = encode(&append)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { stream: append.stream, expected: append.expected, bytes, reply };
        self.requests.as_ref().ok_or("closed")?.send(request).map_err(|_| "the writer is gone")?;
        answer.await?.map_err(|Refusal| "the stream stands elsewhere".into())
    }
}

/// What ours stores beside position, stream and version, by the appender as ours does it.
fn encode(append: &Append) -> Result<Vec<u8>, Failure> {
    let metadata = StoredMetadata::encode(Arc::clone(&append.metadata));
    let metadata = metadata.bytes();
    let mut bytes = Vec::with_capacity(40 + metadata.len() + append.payload.len());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&1_732_147_200_000_000_i64.to_le_bytes());
    bytes.extend_from_slice(append.id.uuid().as_bytes());
    bytes.extend_from_slice(&u32::try_from(metadata.len())?.to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.extend_from_slice(&append.payload);
    Ok(bytes)
}

struct Writer<E> {
    engine: E,
    heads: HashMap<StreamId, u64>,
    position: u64,
}

impl<E: Engine> Writer<E> {
    fn run(&mut self, requests: &mpsc::Receiver<Request>) -> Result<(), Failure> {
        while let Ok(first) = requests.recv() {
            let mut waiting = vec![first];
            waiting.extend(requests.try_iter().take(GROUP - 1));
            self.learn(&waiting)?;
            let (mut group, mut accepted) = (Group::default(), Vec::with_capacity(waiting.len()));
            for request in waiting {
                self.decide(request, &mut group, &mut accepted);
            }
            self.engine.write(&group)?;
            for reply in accepted {
                let _ = reply.send(Ok(()));
            }
        }
        Ok(())
    }

    /// Reads the heads that are not remembered.
    fn learn(&mut self, requests: &[Request]) -> Result<(), Failure> {
        let streams = requests.iter().map(|request| &request.stream);
        let unknown: Vec<&StreamId> = streams.filter(|stream| !self.heads.contains_key(*stream)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let heads = self.engine.heads(&unknown)?;
        self.heads.extend(unknown.into_iter().cloned().zip(heads));
        Ok(())
    }

    fn decide(
        &mut self,
        request: Request,
        group: &mut Group,
        accepted: &mut Vec<oneshot::Sender<Result<(), Refusal>>>,
    ) {
        let Request { stream, expected, bytes, reply } = request;
        let head = self.heads.entry(stream.clone()).or_default();
        if *head != expected {
            let _ = reply.send(Err(Refusal));
            return;
        }
        *head += 1;
        self.position += 1;
        let place = [stream.as_str().as_bytes(), &head.to_be_bytes()].concat();
        group.events.push(Record { position: self.position, place, bytes });
        group.heads.insert(stream, *head);
        accepted.push(reply);
    }
}
