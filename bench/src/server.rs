//! An in-memory server: the core, and an application that responds.

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{
    Config, Connection, ConnectionInfo, Event, FieldLines, Now, RequestHead, RequestId, Transmit, UnixTime,
};

use crate::form::PIECE;
use crate::requests::{CONSTANT_FIELDS, VARYING_FIELDS};

/// The application of a server.
pub trait Application {
    fn receive_head(&mut self, _: &RequestHead) {}

    fn receive_data(&mut self, data: Bytes);
    fn respond(&mut self, connection: &mut Connection, request: RequestId);
}

pub fn text_plain() -> FieldLines {
    let mut fields = FieldLines::new();
    fields.push("Content-Type", "text/plain").expect("a good field");
    fields
}

pub fn page_fields() -> FieldLines {
    let mut fields = FieldLines::new();
    for (name, value) in CONSTANT_FIELDS.into_iter().chain(black_box(VARYING_FIELDS)) {
        fields.push(name, value).expect("a good field");
    }
    fields
}

/// An in-memory socket; the responses of an iteration are written to `out`.
struct Server<A> {
    connection: Connection,
    application: A,
    out: Vec<u8>,
}

impl<A: Application> Server<A> {
    fn new(application: A) -> Self {
        let mut config = Config::default();
        config.limits.head = 65_535;
        let connection = Connection::new(Arc::new(config), ConnectionInfo::default(), now());
        Self { connection, application, out: Vec::with_capacity(PIECE) }
    }

    fn exchange(&mut self, input: &[u8], piece: usize) {
        let mut rest = input;
        self.out.clear();
        while !rest.is_empty() {
            let room = self.connection.recv_buf();
            let count = room.len().min(rest.len()).min(piece);
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            self.connection.handle_recv(count, now());
            self.turn();
        }
    }

    /// Does the work of a driver after a read.
    fn turn(&mut self) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                match event {
                    Event::Request(request) => {
                        let (id, has_body) = (request.id(), request.has_body());
                        self.application.receive_head(&request);
                        drop(black_box(request));
                        if !has_body {
                            self.application.respond(&mut self.connection, id);
                        }
                    }
                    Event::Data(_, data) => self.application.receive_data(data),
                    Event::End(id, _) => self.application.respond(&mut self.connection, id),
                    Event::ResponseEnd(stats) => assert!(black_box(stats).complete),
                    other => panic!("{other:?}"),
                }
            }
            let Some(transmit) = self.connection.poll_transmit() else { break };
            let Transmit::Bytes(slices) = transmit else { panic!("a file") };
            let before = self.out.len();
            slices.for_each(|slice| self.out.extend_from_slice(slice));
            let count = black_box(&self.out).len() - before;
            self.connection.handle_sent(count as u64, now());
        }
        assert!(self.connection.poll_close().is_none());
        black_box(self.connection.poll_timeout());
    }
}

fn now() -> Now {
    black_box(Now::new(Duration::from_secs(100), UnixTime::from_secs(1_795_352_400)))
}

/// Runs the iterations; prints the responses of the last one.
pub fn run(application: impl Application, input: &[u8], piece: usize, iterations: u64) -> io::Result<()> {
    let mut server = Server::new(application);
    for _ in 0..iterations {
        server.exchange(black_box(input), piece);
    }
    io::stdout().write_all(&server.out)
}
