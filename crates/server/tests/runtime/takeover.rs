use std::io::{IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use crowdlink_server::listen::{Bound, EdgeName};
use crowdlink_server::settings::{Address, Settings};
use crowdlink_server::shutdown::{Phase, Shutdown};
use crowdlink_server::takeover::{Door, TakeoverError, bind_or_take, take};
use crowdlink_store::{Clock, ManualClock, SystemClock};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tempfile::TempDir;

use crate::harness::{self, TestServer, limits, soon, start_on, until};

struct Node {
    data: TempDir,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl Node {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        data.path().clone_into(&mut settings.store.data);
        settings.listen.sandbox_rest = Address::loopback(0);
        settings.listen.sandbox_gamelink = Address::Off;
        settings.listen.production_rest = Address::Off;
        settings.listen.production_gamelink = Address::Off;
        settings.listen.ops = Address::Off;
        Self {
            data,
            settings,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// A server with a door, that answers with its name.
    async fn start(&self, name: &'static str) -> TestServer {
        let (bound, handover) = bind_or_take(&self.settings, false, &*self.clock)
            .await
            .unwrap();
        assert!(handover.is_none());
        self.serve(bound, name)
    }

    fn serve(&self, mut bound: Vec<Bound>, name: &'static str) -> TestServer {
        let door = Door::open(self.data.path(), &bound).unwrap();
        let router = Router::new().route("/", get(move || async move { name }));
        let server = start_on(bound.remove(0), router, limits(), Arc::clone(&self.clock));
        tokio::spawn(door.serve(server.shutdown.clone(), Arc::clone(&self.clock)));
        server
    }
}

/// Connects and asks as fast as it can; counts answers by who gave them.
#[derive(Default)]
struct Caller {
    stop: AtomicBool,
    old: AtomicUsize,
    new: AtomicUsize,
}

impl Caller {
    async fn run(self: Arc<Self>, address: SocketAddr) {
        while !self.stop.load(Ordering::Relaxed) {
            let answer = harness::get(address, "/").await;
            match answer.rsplit("\r\n").next() {
                Some("old") => self.old.fetch_add(1, Ordering::Relaxed),
                Some("new") => self.new.fetch_add(1, Ordering::Relaxed),
                _ => panic!("neither answered: {answer:?}"),
            };
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_while_a_new_server_takes_over() {
    let node = Node::new();
    let old = node.start("old").await;
    let address = old.address;
    let callers: Vec<_> = (0..4).map(|_| Arc::new(Caller::default())).collect();
    let running: Vec<_> = callers
        .iter()
        .map(|caller| tokio::spawn(Arc::clone(caller).run(address)))
        .collect();
    let total = |count: fn(&Caller) -> &AtomicUsize| -> usize {
        callers
            .iter()
            .map(|caller| count(caller).load(Ordering::Relaxed))
            .sum()
    };
    until(|| total(|c| &c.old) > 50).await;

    let (bound, handover) = bind_or_take(&node.settings, true, &*node.clock)
        .await
        .unwrap();
    let new = node.serve(bound, "new");
    assert_eq!(new.address, address);
    soon(handover.unwrap().finish(&*node.clock)).await.unwrap();
    soon(old.serving).await.unwrap().unwrap();
    soon(old.shutdown.idle()).await;
    let before = total(|c| &c.new);
    until(|| total(|c| &c.new) > before + 50).await;
    for caller in &callers {
        caller.stop.store(true, Ordering::Relaxed);
    }
    // A refused connection or a lost answer panicked in its task.
    for task in running {
        soon(task).await.unwrap();
    }
    assert_eq!(new.shutdown.phase(), Phase::Running);

    // The new one has a door of its own: it can be replaced the same way.
    let (_, handover) = take(&node.settings, &*node.clock).await.unwrap();
    soon(handover.finish(&*node.clock)).await.unwrap();
    soon(new.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_old_server_serves_on_where_the_new_one_dies_before_it_is_ready() {
    let node = Node::new();
    let old = node.start("old").await;
    let (bound, handover) = soon(take(&node.settings, &*node.clock)).await.unwrap();
    drop((bound, handover));
    // The door is open again, so it has seen the failure.
    let second = soon(take(&node.settings, &*node.clock)).await.unwrap();
    assert_eq!(old.shutdown.phase(), Phase::Running);
    assert!(harness::get(old.address, "/").await.ends_with("old"));
    drop(second);
}

#[tokio::test]
async fn the_door_belongs_to_its_user_alone() {
    let node = Node::new();
    let data = node.data.path().join("deeper/data");
    let (bound, _) = bind_or_take(&node.settings, false, &*node.clock)
        .await
        .unwrap();
    let _door = Door::open(&data, &bound).unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.join("takeover.sock")), 0o600);
    assert_eq!(mode(&data), 0o700);
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn the_door_gives_its_sockets_back_with_the_drain() {
    let node = Node::new();
    let (bound, _) = bind_or_take(&node.settings, false, &*node.clock)
        .await
        .unwrap();
    let address = bound[0].listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let door = Door::open(node.data.path(), &bound).unwrap();
    drop(bound);
    let serving = tokio::spawn(door.serve(shutdown.clone(), Arc::clone(&node.clock)));
    shutdown.drain();
    soon(serving).await.unwrap();
    TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn only_sockets_the_settings_want_are_taken() {
    let node = Node::new();
    let old = node.start("old").await;
    for (wanted, taken) in [
        (Address::At(old.address), 1),
        (Address::loopback(0), 1),
        (Address::Off, 0),
        (Address::loopback(old.address.port() ^ 1), 0),
        (
            Address::At(format!("[::1]:{}", old.address.port()).parse().unwrap()),
            0,
        ),
    ] {
        let mut settings = node.settings.clone();
        settings.listen.sandbox_rest = wanted;
        let (bound, _) = soon(take(&settings, &*node.clock)).await.unwrap();
        assert_eq!(bound.len(), taken, "{wanted}");
    }
}

async fn starts_alone(node: &Node) -> bool {
    let (bound, handover) = soon(bind_or_take(&node.settings, true, &*node.clock))
        .await
        .unwrap();
    bound.len() == 1 && handover.is_none()
}

#[tokio::test]
async fn without_a_running_server_a_takeover_is_a_plain_start() {
    let node = Node::new();
    assert!(starts_alone(&node).await);
    // A socket file whose process is dead.
    drop(UnixListener::bind(node.data.path().join("takeover.sock")).unwrap());
    assert!(starts_alone(&node).await);
    // And the door replaces it.
    node.start("old").await;
    assert!(soon(take(&node.settings, &*node.clock)).await.is_ok());
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_longer_than_the_setting() {
    let node = Node::new();
    let _silent = UnixListener::bind(node.data.path().join("takeover.sock")).unwrap();
    let clock = ManualClock::new(0);
    let mut taking = Box::pin(take(&node.settings, &*clock));
    assert!(futures::poll!(taking.as_mut()).is_pending());
    clock.advance_ms(node.settings.listen.takeover_ms_max - 1);
    assert!(futures::poll!(taking.as_mut()).is_pending());
    clock.advance_ms(1);
    assert!(matches!(soon(taking).await, Err(TakeoverError::Silent)));
}

/// Plays the running server and sends what it likes.
async fn take_from(line: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, String> {
    let node = Node::new();
    let listener = UnixListener::bind(node.data.path().join("takeover.sock")).unwrap();
    let (taken, ()) = tokio::join!(soon(take(&node.settings, &*node.clock)), async {
        let (stream, _) = soon(tokio::task::spawn_blocking(move || listener.accept()))
            .await
            .unwrap()
            .unwrap();
        send(&stream, line, descriptors);
    });
    taken
        .map(|(bound, _)| bound.len())
        .map_err(|error| error.to_string())
}

fn send(stream: &UnixStream, line: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let first = &line[..line.len().min(1)];
    sendmsg(
        stream,
        &[IoSlice::new(first)],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .unwrap();
    // Whether the other still listens to the rest is its own affair.
    let _ = (&mut &*stream).write_all(&line[first.len()..]);
}

#[tokio::test]
async fn an_offer_in_pieces_is_read_and_a_broken_one_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let offer = |version: u32, name: &str, address: SocketAddr| {
        format!(
            "{{\"version\":{version},\"listeners\":[{{\"name\":\"{name}\",\"address\":\"{address}\"}}]}}\n"
        )
        .into_bytes()
    };
    let name = EdgeName::SandboxRest.as_str();
    let good = offer(1, name, address);
    let listening = [socket.as_fd()];
    assert_eq!(take_from(&good, &listening).await, Ok(1));
    assert_eq!(
        take_from(&offer(1, "other", address), &listening).await,
        Ok(0)
    );

    let elsewhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let datagrams = UdpSocket::bind(address).unwrap();
    for (line, descriptors, why) in [
        (good[..20].to_vec(), &listening[..], "less than a line"),
        (b"hello\n".to_vec(), &listening, "no offer"),
        (vec![0xff, b'\n'], &listening, "no text"),
        (vec![b'x'; 20_000], &listening, "too much"),
        (offer(2, name, address), &listening, "another version"),
        (good.clone(), &[], "another number of sockets"),
        (
            offer(1, name, elsewhere),
            &listening,
            "something else than the socket",
        ),
        (
            good.clone(),
            &[datagrams.as_fd()],
            "something else than the socket",
        ),
    ] {
        let error = take_from(&line, descriptors).await.unwrap_err();
        assert!(error.contains(why), "{error} for {why}");
    }
}
