//! Replacements for TLS when its feature is disabled: uninhabited types, so that connections need
//! no `cfg`.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::task::{Context, Poll};

use httpants_core::Preface;

use crate::runtime::{SendHint, Transport};

#[derive(Clone, Debug)]
pub(crate) enum Tls {}

#[derive(Debug)]
pub(crate) struct TlsSession;

pub(crate) struct TlsStream<T>(Infallible, PhantomData<T>);

pub(crate) struct Handshake<T>(Infallible, PhantomData<T>);

#[expect(dead_code, reason = "there is no handshake")]
pub(crate) enum Outcome {
    Secured,
    Refused,
}

impl<T: Transport> Handshake<T> {
    pub(crate) fn new(tls: &Tls, _: T) -> io::Result<Self> {
        match *tls {}
    }

    pub(crate) fn poll(&mut self, _: &mut Context<'_>, _: impl FnMut(&[u8]) -> Preface) -> Poll<io::Result<Outcome>> {
        match self.0 {}
    }

    pub(crate) fn session(&self) -> TlsSession {
        match self.0 {}
    }

    pub(crate) fn into_stream(self) -> TlsStream<T> {
        match self.0 {}
    }

    pub(crate) fn into_transport(self) -> T {
        match self.0 {}
    }
}

impl<T: Transport> TlsStream<T> {
    pub(crate) fn take_sent(&mut self) -> u64 {
        match self.0 {}
    }

    pub(crate) fn poll_close_notify(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl<T: Transport> Transport for TlsStream<T> {
    fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_send(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>], _: SendHint) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
