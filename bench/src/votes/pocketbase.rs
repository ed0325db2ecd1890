//! The peer: PocketBase, with a collection of votes under a unique index and no rules, so that an
//! insert costs it neither a token nor a rule.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::load::Requests;
use crate::listening::{free_address, until_listening};
use crate::server;

const EMAIL: &str = "bench@localhost.test";
const PASSWORD: &str = "bench-bench-bench";

/// A running PocketBase.
pub(super) struct PocketBase {
    child: Child,
    pub(super) address: SocketAddr,
    next: Arc<AtomicU64>,
    _data: TempDir,
}

impl PocketBase {
    /// Starts it on a free port with an empty store, and makes the collection.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let command = || {
            let mut command = Command::new(program);
            // It writes beside its folder, too, unless it is told where.
            command.arg("--dir").arg(data.path().join("data"));
            command
                .arg("--migrationsDir")
                .arg(data.path().join("migrations"));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        let made = command()
            .args(["superuser", "upsert", EMAIL, PASSWORD])
            .status()?;
        anyhow::ensure!(made.success(), "pocketbase has no superuser");
        let address = free_address()?;
        let child = command()
            .arg("serve")
            .arg(format!("--http={address}"))
            .spawn()?;
        let peer = Self {
            child,
            address,
            next: Arc::new(AtomicU64::new(1)),
            _data: data,
        };
        peer.prepare()?;
        Ok(peer)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn prepare(&self) -> Result<()> {
        until_listening("pocketbase", self.address)?;
        let login = json!({ "identity": EMAIL, "password": PASSWORD });
        let path = "/api/collections/_superusers/auth-with-password";
        let token = self.post(path, "", &login)?;
        let token = token.get("token").and_then(Value::as_str);
        let token = token.context("no token")?;
        let collection = json!({
            "name": "votes",
            "type": "base",
            "createRule": "",
            "fields": [
                { "name": "poll", "type": "text", "required": true },
                { "name": "voter", "type": "text", "required": true },
                { "name": "value", "type": "number" },
            ],
            "indexes": ["CREATE UNIQUE INDEX one_vote ON votes (poll, voter)"],
        });
        self.post("/api/collections", token, &collection)?;
        Ok(())
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> Result<Value> {
        let mut stream = TcpStream::connect(self.address)?;
        let body = body.to_string();
        let (host, length) = (self.address, body.len());
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
        Ok(serde_json::from_str(body)?)
    }

    /// Inserts of votes by voters who have none.
    pub(super) fn requests(&self) -> Requests {
        let (next, host) = (Arc::clone(&self.next), self.address);
        Box::new(move |_| {
            let next = Arc::clone(&next);
            Ok(Box::new(move || {
                let voter = next.fetch_add(1, Ordering::Relaxed);
                let body = format!(
                    r#"{{"poll":"one","voter":"{voter}","value":{}}}"#,
                    voter % 4
                );
                let length = body.len();
                Ok(format!(
                    "POST /api/collections/votes/records HTTP/1.1\r\nhost: {host}\r\n\
                     content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                )
                .into_bytes())
            }))
        })
    }
}

impl Drop for PocketBase {
    fn drop(&mut self) {
        server::end(&mut self.child);
    }
}
