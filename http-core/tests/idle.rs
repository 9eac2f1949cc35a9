//! Tests of connections that are moved out while they are idle and share the buffers of busy ones.
#![cfg(test)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::{WRK, events, feed, id, now, timeout};
use httpants_core::{
    BodyLen, Config, Connection, ConnectionInfo, Event, IdleConnection, RequestHead, ResponseHead, Timer,
};

fn peer(port: u16) -> ConnectionInfo {
    ConnectionInfo::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv4Addr::LOCALHOST, 80)))
}

/// Receives a request at this time, responds and sends the whole response.
fn exchange(connection: &mut Connection, millis: u64) -> RequestHead {
    feed(connection, WRK.as_bytes(), millis);
    let Some(Event::Request(request)) = connection.poll_event() else { panic!("a request is expected") };
    assert!(connection.take_idle().is_none(), "a response is expected");
    connection.respond_with(request.id(), &ResponseHead::default(), "x").unwrap();
    assert!(connection.take_idle().is_none(), "a response waits to be sent");
    connection.handle_sent(u64::MAX, now(millis));
    assert!(connection.take_idle().is_none(), "its end was not reported");
    assert_eq!(events(connection), ["ResponseEnd"]);
    request
}

#[test]
fn idle_connections_keep_their_own_state() {
    let config = Arc::new(Config::default());
    let mut connection = Connection::new(Arc::clone(&config), ConnectionInfo::default(), now(0));
    let mut idle: Vec<_> = (0..3).map(|port| Some(IdleConnection::new(&config, peer(port), now(0)))).collect();
    idle[2].as_mut().unwrap().expire_at(Duration::from_secs(70));
    for round in 1..4 {
        for (port, place) in idle.iter_mut().enumerate() {
            let millis = 1000 * round + port as u64;
            connection.restore(place.take().unwrap(), now(millis));
            let first = if round == 1 { (0, Timer::Accept) } else { (1000 * (round - 1) + port as u64, Timer::Idle) };
            let allowed = if round == 1 { config.timeouts.accept } else { config.timeouts.idle }.unwrap();
            let due = (first.0 + allowed.as_millis() as u64, first.1);
            let due = if port == 2 { due.min((70_000, Timer::Age)) } else { due };
            assert_eq!(timeout(&connection), Some(due), "round {round}, connection {port}");
            assert_eq!((connection.served(), connection.position()), (round - 1, (round - 1) * WRK.len() as u64));
            let request = exchange(&mut connection, millis);
            assert_eq!((request.id().index(), *request.connection_info()), (round, peer(port as u16)));
            *place = connection.take_idle();
            assert!(place.is_some());
        }
    }
}

#[test]
fn connection_that_is_not_idle_is_not_taken() {
    let config = Arc::new(Config::default());
    let fresh = || Connection::new(Arc::clone(&config), ConnectionInfo::default(), now(0));
    for received in ["G", "\r\n", "\r", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"] {
        let mut connection = fresh();
        feed(&mut connection, received.as_bytes(), 0);
        assert!(connection.take_idle().is_none(), "not parsed: {received:?}");
        drop(connection.poll_event());
        assert!(connection.take_idle().is_none(), "{received:?}");
    }
    for end in [Connection::handle_eof, Connection::handle_peer_closed, Connection::handle_shutdown] {
        let mut connection = fresh();
        end(&mut connection, now(0));
        assert!(connection.take_idle().is_none());
        drop(events(&mut connection));
        assert!(connection.take_idle().is_none());
    }
    let mut connection = fresh();
    connection.hold_requests();
    assert!(connection.take_idle().is_none(), "held");
    connection.accept_requests();
    let lent = connection.lend_recv_buf().unwrap();
    assert!(connection.take_idle().is_none(), "its buffer is lent");
    connection.return_recv_buf(lent, 0, now(0));
    assert!(connection.take_idle().is_some());
}

/// The state of a connection in use does not affect one that is restored in its place.
#[test]
fn restoring_drops_a_connection_that_is_in_use() {
    let config = Arc::new(Config::default());
    let mut connection = Connection::new(Arc::clone(&config), peer(1), now(0));
    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", 0);
    drop(connection.poll_event());
    let request = id(&connection);
    connection.respond(request, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.restore(IdleConnection::new(&config, peer(2), now(5)), now(5));
    assert!(connection.poll_transmit().is_none() && connection.poll_event().is_none());
    assert_eq!(exchange(&mut connection, 6).connection_info(), &peer(2));
}

/// A pending event together with a held connection or a lent buffer is tested, because each alone
/// prevents idling.
#[test]
fn held_or_lent_connection_with_an_event_is_not_idle() {
    for lends in [true, false] {
        let mut config = Config::default();
        config.limits.send_backlog = 1;
        let mut connection = common::connection(config);
        feed(&mut connection, WRK.as_bytes(), 0);
        drop(connection.poll_event());
        let id = id(&connection);
        connection.respond(id, &ResponseHead::default(), BodyLen::Known(0)).unwrap();
        assert_eq!(connection.poll_send_room(id), Ok(0));
        connection.finish(id).unwrap();
        connection.handle_sent(u64::MAX, now(0));
        let lent = if lends { connection.lend_recv_buf() } else { None };
        if !lends {
            connection.hold_requests();
        }
        assert!(matches!(connection.poll_event(), Some(Event::ResponseEnd(_))));
        assert!(connection.take_idle().is_none(), "lent: {lends}");
        drop(lent);
    }
}

#[test]
fn held_and_lent_connection_is_not_idle() {
    let mut connection = common::connection(Config::default());
    let lent = connection.lend_recv_buf().unwrap();
    connection.hold_requests();
    assert!(connection.take_idle().is_none());
    connection.accept_requests();
    assert!(connection.take_idle().is_none());
    connection.return_recv_buf(lent, 0, now(0));
    assert!(connection.take_idle().is_some());
}

#[test]
fn time_of_restored_connections_does_not_go_backwards() {
    let config = Config::default();
    let idle = IdleConnection::new(&config, ConnectionInfo::default(), now(5000));
    let mut connection = common::connection(config);
    connection.restore(idle, now(1000));
    assert_eq!(connection.now().mono, now(5000).mono);
    assert_eq!(connection.now().wall, now(1000).wall);
}
