//! A curl line: which header it sends, and where to.

use std::net::{IpAddr, SocketAddr};

use crowdlink_core::tokens::Expectation;
use crowdlink_protocol::Stage;
use http::Uri;
use percent_encoding::percent_decode_str;

use crate::listen::EdgeName;
use crate::rest::who;
use crate::settings::{Address, Listen};

/// Options of curl that are followed by a value which says nothing here.
const WITH_VALUE: [&str; 16] = [
    "-o",
    "--output",
    "-u",
    "--user",
    "-A",
    "--user-agent",
    "-e",
    "--referer",
    "-b",
    "--cookie",
    "-m",
    "--max-time",
    "--connect-timeout",
    "-w",
    "--write-out",
    "--cacert",
];

/// What is asked of the doctor.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// The header, or a bare token; `None` where a curl line has none.
    pub(super) header: Option<String>,
    /// What the call wants.
    pub(super) expected: Expectation,
    /// The method and path of a call whose access rule is known.
    pub(super) call: Option<String>,
    /// The call wants no token.
    pub(super) open: bool,
    /// What is to be said of the address.
    pub(super) notes: Vec<String>,
}

impl Question {
    /// A header or a token alone.
    pub(super) fn of_header(header: String) -> Self {
        Self {
            header: Some(header),
            ..Self::default()
        }
    }
}

/// Whether a text begins like a curl line.
pub(super) fn is_curl(text: &str) -> bool {
    matches!(text.split_whitespace().next(), Some("curl" | "curl.exe"))
}

/// What a curl line would send.
#[derive(Default)]
struct Line {
    headers: Vec<String>,
    method: Option<String>,
    has_body: bool,
    url: Option<String>,
}

/// Reads a curl line, as one text or already split by the shell.
pub(super) fn read(words: &[String], listen: &Listen) -> anyhow::Result<Question> {
    let split = match words {
        [line] => shlex::split(&joined(line))
            .ok_or_else(|| anyhow::anyhow!("the curl line has a quote that does not end"))?,
        words => words.to_vec(),
    };
    let line = parse(&split);
    let mut question = Question::default();
    let mut given = line.headers.iter().filter(|header| {
        let name = header.split(':').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("authorization")
    });
    question.header = given.next().cloned();
    if given.next().is_some() {
        question
            .notes
            .push("the Authorization header is there twice; one is taken".to_owned());
    }
    if let Some(url) = &line.url {
        look_at_url(url, &line, listen, &mut question);
    } else {
        question
            .notes
            .push("no URL was found in the curl line".to_owned());
    }
    Ok(question)
}

/// Without the prompt, and with lines that go on in the next one put together.
fn joined(line: &str) -> String {
    let line = line.trim_start_matches(['$', ' ']);
    line.replace("\\\r\n", " ").replace("\\\n", " ")
}

fn parse(words: &[String]) -> Line {
    let mut line = Line::default();
    let mut words = words.iter().skip(1).map(String::as_str);
    while let Some(word) = words.next() {
        let (option, attached) = split_option(word);
        let mut value = || {
            attached
                .or_else(|| words.next())
                .unwrap_or_default()
                .to_owned()
        };
        match option {
            "-H" | "--header" => line.headers.push(value()),
            "-X" | "--request" => line.method = Some(value().to_ascii_uppercase()),
            "--url" => line.url = Some(value()),
            "-I" | "--head" => line.method = Some("HEAD".to_owned()),
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii"
            | "--data-urlencode" | "--json" => {
                value();
                line.has_body = true;
            }
            option if WITH_VALUE.contains(&option) => {
                value();
            }
            option if option.starts_with('-') => {}
            word => {
                line.url.get_or_insert_with(|| word.to_owned());
            }
        }
    }
    line
}

/// `--header=value` and `-Hvalue` hold their value themselves.
fn split_option(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word
            .split_once('=')
            .map_or((word, None), |(option, value)| (option, Some(value)));
    }
    for short in ["-H", "-X", "-d"] {
        if let Some(value) = word.strip_prefix(short).filter(|value| !value.is_empty()) {
            return (short, Some(value));
        }
    }
    (word, None)
}

fn look_at_url(text: &str, line: &Line, listen: &Listen, question: &mut Question) {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let Ok(url) = text.parse::<Uri>() else {
        question.notes.push("the URL cannot be read".to_owned());
        return;
    };
    let (edge, note) = edge_of(&url, listen);
    question.expected.stage = edge.and_then(|edge| edge.stage().parse::<Stage>().ok());
    question.notes.extend(note);
    question.expected.channel_id = query(&url, "channel_id");
    let method = match (&line.method, line.has_body) {
        (Some(method), _) => method.as_str(),
        (None, true) => "POST",
        (None, false) => "GET",
    };
    let Some(who) = who(method, url.path().trim_end_matches('/')) else {
        return;
    };
    let Some(requires) = who.requires() else {
        question.open = true;
        return;
    };
    question.expected.requires = requires;
    question.call = Some(format!("{method} {}", url.path()));
}

/// The listener a URL leads to, and what is odd about it.
fn edge_of(url: &Uri, listen: &Listen) -> (Option<EdgeName>, Option<String>) {
    let port = url.port_u16().unwrap_or(match url.scheme_str() {
        Some("https" | "wss") => 443,
        _ => 80,
    });
    let host = url.host().unwrap_or_default();
    let edges = [
        (EdgeName::SandboxRest, listen.sandbox_rest),
        (EdgeName::SandboxGamelink, listen.sandbox_gamelink),
        (EdgeName::ProductionRest, listen.production_rest),
        (EdgeName::ProductionGamelink, listen.production_gamelink),
        (EdgeName::Ops, listen.ops),
    ];
    let found = edges.into_iter().find_map(|(name, address)| match address {
        Address::At(at) if at.port() == port => Some((name, at)),
        Address::At(_) | Address::Off => None,
    });
    let Some((name, at)) = found else {
        let note = format!(
            "port {port} is none of this server's listeners, so the stage is not known; name it with --stage"
        );
        return (None, Some(note));
    };
    let note = match name {
        EdgeName::Ops => Some(format!(
            "port {port} is for operations; calls go to a REST port"
        )),
        EdgeName::SandboxGamelink | EdgeName::ProductionGamelink => Some(format!(
            "port {port} is for games' sockets; REST has a port of its own"
        )),
        EdgeName::SandboxRest | EdgeName::ProductionRest => (!leads_to(host, at))
            .then(|| format!("host {host} is not the address of the listener; its port is")),
    };
    (Some(name), note)
}

/// Whether a host of a URL can be the listener's address.
fn leads_to(host: &str, at: SocketAddr) -> bool {
    let host = host.trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(ip) => at.ip().is_unspecified() || ip == at.ip(),
        Err(_) => at.ip().is_unspecified() || (host == "localhost" && at.ip().is_loopback()),
    }
}

fn query(url: &Uri, name: &str) -> Option<String> {
    let pairs = url
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
    (!value.is_empty()).then_some(value)
}
