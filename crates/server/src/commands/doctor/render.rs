//! A diagnosis as lines for people. Text from outside is made fit for a terminal.

use std::fmt::Write as _;

use crowdlink_core::tokens::{Diagnosis, Facts, Finding, GrantFacts, Shown, Signer, Span};

use super::curl::Question;
use crate::commands::extension::local_time;

/// Whether the answer is yes.
pub(super) fn is_good(diagnosis: &Diagnosis, question: &Question) -> bool {
    match question.header {
        Some(_) => diagnosis.is_good(),
        None => question.open,
    }
}

/// The verdict, then everything that is known.
pub(super) fn report(
    diagnosis: &Diagnosis,
    question: &Question,
    unchecked: Option<&str>,
    now_ms: i64,
) -> String {
    let mut lines = Vec::new();
    if question.header.is_none() {
        lines.push(if question.open {
            "good: this call needs no token".to_owned()
        } else {
            "refused: the curl line has no Authorization header".to_owned()
        });
        lines.extend(question.notes.iter().map(|note| line("note", note)));
        return text(&lines);
    }
    match diagnosis.findings.split_first() {
        None => lines.push(format!("good: {}", summary(diagnosis, unchecked, now_ms))),
        Some((first, others)) => {
            lines.push(format!("refused: {first}"));
            lines.extend(others.iter().map(|finding| format!("also: {finding}")));
        }
    }
    if let Some(why) = unchecked
        && diagnosis.facts.is_some()
    {
        lines.push(line(
            "note",
            &format!("the signature could not be checked: {why}"),
        ));
    }
    lines.extend(
        question
            .notes
            .iter()
            .map(|note| line("note", &Shown(note).to_string())),
    );
    if let Some(call) = &question.call {
        lines.push(line("call", &Shown(call).to_string()));
    }
    facts(diagnosis, now_ms, &mut lines);
    text(&lines)
}

fn text(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        text.push_str(line);
        text.push('\n');
        text
    })
}

fn line(label: &str, value: &str) -> String {
    format!("  {label:<10} {value}")
}

fn summary(diagnosis: &Diagnosis, unchecked: Option<&str>, now_ms: i64) -> String {
    let mut text = String::new();
    let Some(facts) = &diagnosis.facts else {
        return text;
    };
    let role = facts.role.map_or("", |role| role.as_str());
    let place = match channel(facts, diagnosis) {
        Some("all") => "every channel".to_owned(),
        Some(channel) => format!("channel {}", Shown(channel)),
        None => "no channel of its own".to_owned(),
    };
    // Writing to a String does not fail.
    let _ = write!(text, "role {role} in {place}");
    if let Some(client_id) = &diagnosis.client_id {
        let _ = write!(text, " of extension {}", Shown(client_id));
    }
    if let Some(stage) = diagnosis.stage {
        let _ = write!(text, ", on {stage}");
    }
    if let Some(exp) = facts.exp {
        let _ = write!(text, ", expires {}", distance(exp, now_ms));
    }
    if unchecked.is_some() {
        text.push_str("; its signature was not checked");
    }
    text
}

/// The channel it acts in, if it names one: `all` for every.
fn channel<'a>(facts: &'a Facts, diagnosis: &'a Diagnosis) -> Option<&'a str> {
    match (&diagnosis.grant, &facts.channel_id) {
        (Some(GrantFacts::Active(channel)), _) | (_, Some(channel)) => Some(channel),
        (_, None) => None,
    }
}

fn facts(diagnosis: &Diagnosis, now_ms: i64, lines: &mut Vec<String>) {
    lines.push(line(
        "given",
        if diagnosis.is_header {
            "an Authorization header"
        } else {
            "a token"
        },
    ));
    let Some(facts) = &diagnosis.facts else {
        return;
    };
    lines.push(line("signer", &signer(&diagnosis.signer, facts)));
    let extension = match (&diagnosis.extension, &diagnosis.client_id) {
        (Some(known), _) => format!(
            "{}, named {}, of owner {}",
            known.client_id,
            Shown(&format!("{:?}", known.name)),
            Shown(if known.owner.is_empty() {
                "nobody"
            } else {
                &known.owner
            }),
        ),
        (None, Some(named)) if diagnosis.signer == Signer::Unchecked => Shown(named).to_string(),
        (None, Some(named)) => format!("{}, not registered here", Shown(named)),
        (None, None) => "named nowhere".to_owned(),
    };
    lines.push(line("extension", &extension));
    let stage = facts.stage().map_or("unknown", |stage| stage.as_str());
    lines.push(line("stage", stage));
    let channel = channel(facts, diagnosis).unwrap_or("none");
    lines.push(line("channel", &Shown(channel).to_string()));
    let user = match (&facts.user_id, &facts.opaque_user_id) {
        (Some(user), Some(opaque)) => format!("{} ({})", Shown(user), Shown(opaque)),
        (Some(user), None) => Shown(user).to_string(),
        (None, Some(opaque)) => format!("{}, whose identity is not shared", Shown(opaque)),
        (None, None) => "none".to_owned(),
    };
    lines.push(line("user", &user));
    lines.push(line(
        "role",
        facts.role.map_or("none", |role| role.as_str()),
    ));
    for (label, at) in [
        ("issued", facts.iat),
        ("valid from", facts.nbf),
        ("expires", facts.exp),
    ] {
        if let Some(at) = at {
            let time = local_time(at.saturating_mul(1_000));
            lines.push(line(label, &format!("{time}, {}", distance(at, now_ms))));
        }
    }
    lines.extend(ids(diagnosis, facts));
}

fn ids(diagnosis: &Diagnosis, facts: &Facts) -> Vec<String> {
    let all = [
        ("id", &facts.jti, "the token"),
        ("family", &facts.fam, "its family"),
        ("grant", &facts.grant, "its grant"),
    ];
    let mut lines = Vec::new();
    for (label, id, what) in all {
        let Some(id) = id else { continue };
        let mut value = Shown(id).to_string();
        if diagnosis.findings.contains(&Finding::Revoked(what)) {
            value.push_str(", revoked");
        } else if label == "grant" {
            value.push_str(match &diagnosis.grant {
                Some(GrantFacts::Pending) => ", pending",
                Some(GrantFacts::Active(_)) => ", active",
                Some(GrantFacts::Gone) => ", gone",
                Some(GrantFacts::Revoked) => ", revoked",
                None => "",
            });
        }
        lines.push(line(label, &value));
    }
    lines
}

fn signer(signer: &Signer, facts: &Facts) -> String {
    match signer {
        Signer::Unchecked => match &facts.kid {
            Some(kid) => format!("not checked; it names key {}", Shown(kid)),
            None => "not checked; it names no key, as developers and the platform sign".to_owned(),
        },
        Signer::Unknown => "nobody known here".to_owned(),
        Signer::Ring { kid, retired } => {
            let state = if *retired { ", retired" } else { "" };
            format!("this deployment, key {kid}{state}")
        }
        Signer::Secret {
            client_id,
            id,
            retired,
            ..
        } => {
            let state = if *retired { ", retired" } else { "" };
            format!("secret {id} of extension {client_id}{state}")
        }
    }
}

/// How far a time (Unix s) is.
fn distance(at: i64, now_ms: i64) -> String {
    let ms = at.saturating_mul(1_000).saturating_sub(now_ms);
    let span = Span(ms.unsigned_abs());
    if ms < 0 {
        format!("{span} ago")
    } else {
        format!("in {span}")
    }
}
