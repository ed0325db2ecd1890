//! A network that breaks on demand, in front of a server that sends everything back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use services::{CONNECTIONS_MAX, Proxy};

/// How long a byte is waited for that must not come.
const SILENCE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that sends back what it gets, until a connection's end.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut input = stream.try_clone().unwrap();
                // Either side may break the connection.
                let _ = std::io::copy(&mut input, &mut stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn through(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn say(mut stream: &TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).unwrap();
}

fn hear(mut stream: &TcpStream, word: &str) {
    let mut heard = vec![0; word.len()];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(heard, word.as_bytes());
}

fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let read = stream.read(&mut [0]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn more_than_fits_on_the_way_goes_there_and_back() {
    let proxy = Proxy::start(echo()).unwrap();
    let stream = through(&proxy);
    let sent: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut heard = Vec::new();
    (&stream).read_to_end(&mut heard).unwrap();
    writing.join().unwrap();
    assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
}

#[test]
fn a_cut_closes_and_refuses_until_it_is_healed() {
    let proxy = Proxy::start(echo()).unwrap();
    let stream = through(&proxy);
    say(&stream, "one");
    hear(&stream, "one");
    proxy.cut().unwrap();
    assert!(is_closed(&stream));
    let refused = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.heal().unwrap();
    let stream = through(&proxy);
    say(&stream, "two");
    hear(&stream, "two");
}

#[test]
fn a_stall_holds_bytes_back_and_a_heal_lets_them_go() {
    let proxy = Proxy::start(echo()).unwrap();
    let stream = through(&proxy);
    say(&stream, "one");
    hear(&stream, "one");
    proxy.stall().unwrap();
    say(&stream, "two");
    let late = through(&proxy);
    say(&late, "three");
    assert!(is_silent(&stream));
    assert!(is_silent(&late));
    proxy.heal().unwrap();
    hear(&stream, "two");
    hear(&late, "three");
}

#[test]
fn a_cut_ends_a_stall() {
    let proxy = Proxy::start(echo()).unwrap();
    let stream = through(&proxy);
    say(&stream, "one");
    hear(&stream, "one");
    proxy.stall().unwrap();
    say(&stream, "two");
    proxy.cut().unwrap();
    assert!(is_closed(&stream));
    proxy.heal().unwrap();
    let stream = through(&proxy);
    say(&stream, "three");
    hear(&stream, "three");
}

#[test]
fn a_connection_to_a_server_that_is_down_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::start(upstream).unwrap();
    assert!(is_closed(&through(&proxy)));
}

#[test]
fn one_connection_too_many_is_closed_and_makes_no_other_suffer() {
    let proxy = Proxy::start(echo()).unwrap();
    let streams: Vec<_> = (0..CONNECTIONS_MAX).map(|_| through(&proxy)).collect();
    for stream in &streams {
        say(stream, "all");
        hear(stream, "all");
    }
    assert!(is_closed(&through(&proxy)));
    for stream in &streams {
        say(stream, "still");
        hear(stream, "still");
    }
}

#[test]
fn a_dropped_proxy_closes_and_refuses() {
    let proxy = Proxy::start(echo()).unwrap();
    let address = proxy.address();
    let stream = through(&proxy);
    say(&stream, "one");
    hear(&stream, "one");
    drop(proxy);
    assert!(is_closed(&stream));
    assert!(TcpStream::connect(address).is_err());
}
