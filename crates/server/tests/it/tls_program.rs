//! TLS of the program itself: its flags, what it prints, and a restart by `--takeover`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::program::{Process, failed};
use crate::harness::{Authority, Http, Trust, eventually};

const OFF: [&str; 5] = [
    "--sandbox-rest=off",
    "--sandbox-gamelink=off",
    "--production-rest=off",
    "--production-gamelink=off",
    "--ops=off",
];

fn flags(authority: &Authority) -> [String; 2] {
    [
        format!("--tls-certificate={}", authority.certificate().display()),
        format!("--tls-key={}", authority.key().display()),
    ]
}

fn words<'a>(first: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    let more = more.iter().map(String::as_str);
    first.iter().copied().chain(more).collect()
}

#[tokio::test]
async fn the_ready_line_and_the_first_steps_say_which_listeners_speak_tls() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let flags = flags(&authority);
    let server = Process::start(data.path(), &words(&["dev"], &flags));
    let (rest, games) = (
        server.address("sandbox-rest"),
        server.address("sandbox-gamelink"),
    );
    for part in [
        format!(" sandbox-rest=https://{rest} "),
        format!(" sandbox-gamelink=wss://{games} "),
        format!(
            " production-rest=https://{} ",
            server.address("production-rest")
        ),
        " production-gamelink=off ".to_owned(),
        format!(" ops={}\n", server.address("ops")),
    ] {
        assert!(server.ready.contains(&part), "{part}: {}", server.ready);
    }
    eventually("people are told the same", async || {
        let told = std::fs::read_to_string(data.path().join("log")).unwrap();
        told.contains(&format!("curl -s https://{rest}/"))
            && told.contains(&format!("connects to wss://{games}/"))
    })
    .await;
    let page = Http::new(rest).trusting(Some(authority.trust()));
    assert_eq!(page.get("/v1/e/user_info").await.status, 401);
}

#[test]
fn the_program_does_not_start_with_files_it_cannot_use() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = flags(&authority);
    let start = [&["serve"], &OFF[..]].concat();
    let one = failed(data.path(), &words(&start, &good[..1]));
    assert!(one.contains("tls.key is not"), "{one}");
    let swapped = [
        format!("--tls-certificate={}", authority.key().display()),
        good[1].clone(),
    ];
    let told = failed(data.path(), &words(&start, &swapped));
    assert!(told.contains("key.pem: it holds no certificate"), "{told}");
    std::fs::write(authority.key(), authority.issue(|_| {}).1).unwrap();
    let told = failed(data.path(), &words(&start, &good));
    assert!(
        told.contains("does not belong to the certificate"),
        "{told}"
    );
}

/// Connects and asks as fast as it can, a new connection each time.
async fn callers(page: Http, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        assert_eq!(page.get("/v1/e/user_info").await.status, 401);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_over_tls_refuses_nobody() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let flags = flags(&authority);
    let mut server = Process::start(data.path(), &words(&["serve"], &flags));
    let ready = server.ready.clone();
    let trust: Trust = authority.trust();
    let page = Http::new(server.address("sandbox-rest")).trusting(Some(trust));
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let running: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(callers(
                page.clone(),
                Arc::clone(&stop),
                Arc::clone(&answered),
            ))
        })
        .collect();
    let progress = || async {
        let before = answered.load(Ordering::Relaxed);
        eventually("callers are answered", || async {
            answered.load(Ordering::Relaxed) >= before + 50
        })
        .await;
    };
    progress().await;
    let path = data.path().to_owned();
    let start = || Process::start(&path, &words(&["serve", "--takeover"], &flags));
    let mut old = std::mem::replace(&mut server, tokio::task::block_in_place(start));
    assert_eq!(server.ready, ready, "the same sockets");
    let status = tokio::task::block_in_place(|| old.ended());
    assert_eq!(status.code(), Some(0));
    progress().await;
    stop.store(true, Ordering::Relaxed);
    for task in running {
        task.await.unwrap();
    }
}
