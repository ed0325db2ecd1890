//! A private NATS server, spoken to in its own protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use services::Nats;

/// A connection that was greeted and answered.
fn client(nats: &Nats) -> BufReader<TcpStream> {
    let address = nats.url().strip_prefix("nats://").unwrap().to_owned();
    let stream = TcpStream::connect(address).unwrap();
    let mut client = BufReader::new(stream);
    assert!(line(&mut client).starts_with("INFO {"));
    say(&client, "CONNECT {\"verbose\":false}\r\nPING\r\n");
    assert_eq!(line(&mut client), "PONG");
    client
}

fn say(client: &BufReader<TcpStream>, words: &str) {
    client.get_ref().write_all(words.as_bytes()).unwrap();
}

/// The next line; empty at the end of the connection.
fn line(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    // A killed server resets its connections.
    let _ = client.read_line(&mut line);
    line.trim_end().to_owned()
}

fn is_refused(nats: &Nats) -> bool {
    TcpStream::connect(nats.address()).is_err()
}

#[test]
fn what_one_client_publishes_another_one_gets() {
    let nats = Nats::start().unwrap();
    let mut listener = client(&nats);
    say(&listener, "SUB news 1\r\nPING\r\n");
    assert_eq!(line(&mut listener), "PONG");
    say(&client(&nats), "PUB news 2\r\nhi\r\n");
    assert_eq!(line(&mut listener), "MSG news 1 2");
    assert_eq!(line(&mut listener), "hi");
}

#[test]
fn a_stopped_server_refuses_and_starts_again_where_it_was() {
    let nats = Nats::start().unwrap();
    let url = nats.url();
    let mut open = client(&nats);
    nats.stop().unwrap();
    assert_eq!(line(&mut open), "");
    assert!(is_refused(&nats));
    nats.start_again().unwrap();
    assert_eq!(nats.url(), url);
    client(&nats);
}

#[test]
fn a_killed_server_starts_again_where_it_was() {
    let nats = Nats::start().unwrap();
    let mut open = client(&nats);
    nats.kill().unwrap();
    assert_eq!(line(&mut open), "");
    assert!(is_refused(&nats));
    nats.start_again().unwrap();
    client(&nats);
}

#[test]
fn to_end_a_server_twice_is_fine_and_to_start_it_twice_is_not() {
    let nats = Nats::start().unwrap();
    assert!(nats.start_again().is_err());
    nats.stop().unwrap();
    nats.kill().unwrap();
    nats.start_again().unwrap();
    client(&nats);
}
