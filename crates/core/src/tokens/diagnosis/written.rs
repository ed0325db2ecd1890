//! How a header is written: its parts, and what was pasted along.

use super::Finding;

/// What was given, cleaned.
pub(super) struct Written {
    /// Whether there are two parts, or the header's name: else it is a bare token.
    pub(super) is_header: bool,
    /// The first part.
    pub(super) scheme: Option<String>,
    /// The token.
    pub(super) jwt: String,
    pub(super) findings: Vec<Finding>,
}

const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// Takes a header or a bare token apart, whatever is wrong with it.
pub(super) fn read(text: &str) -> Written {
    let mut findings = Vec::new();
    // The end of the line is the terminal's, not the token's.
    let text = text.trim_end_matches(['\r', '\n']);
    let mut text = text.to_owned();
    if text.contains(QUOTES) {
        findings.push(Finding::Quotes);
        text.retain(|c| !QUOTES.contains(&c));
    }
    if text.contains(['\r', '\n']) {
        findings.push(Finding::LineBreak);
        text = joined(&text);
    }
    let name = "authorization:";
    let named = text
        .get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name));
    let value = if named {
        // The space after the colon belongs to HTTP.
        text.get(name.len()..)
            .unwrap_or_default()
            .trim_matches([' ', '\t'])
    } else {
        &text
    };
    let odd = |c: char| c.is_whitespace() && c != ' ';
    if value.contains(odd) {
        findings.push(Finding::OddSpace);
    }
    let value = value.replace(odd, " ");
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() < value.split(' ').count() && !words.is_empty() {
        findings.push(Finding::ExtraSpace);
    }
    let (scheme, jwt) = parts(&words, named, &mut findings);
    Written {
        is_header: named || scheme.is_some(),
        scheme,
        jwt,
        findings,
    }
}

/// A token that was broken over lines is put together; a break in place of the space is one.
fn joined(text: &str) -> String {
    let lines = text.split(['\r', '\n']).map(str::trim);
    lines.fold(String::new(), |mut whole, line| {
        let id_alone =
            !whole.is_empty() && !whole.contains(['.', ' ']) && !whole.starts_with("eyJ");
        if id_alone && !line.is_empty() {
            whole.push(' ');
        }
        whole.push_str(line);
        whole
    })
}

fn parts(words: &[&str], named: bool, findings: &mut Vec<Finding>) -> (Option<String>, String) {
    match *words {
        [] => {
            findings.push(Finding::Empty);
            (None, String::new())
        }
        [word] => {
            // A JOSE header begins `{"`, so a token begins `eyJ`.
            let glued = word
                .split_once("eyJ")
                .filter(|(before, _)| !before.is_empty() && !before.contains('.'));
            if let Some((before, _)) = glued {
                findings.push(Finding::MissingSpace);
                let jwt = word.get(before.len()..).unwrap_or_default();
                return (Some(before.to_owned()), jwt.to_owned());
            }
            if named {
                findings.push(Finding::OnePart);
            }
            (None, word.to_owned())
        }
        [scheme, jwt] => (Some(scheme.to_owned()), jwt.to_owned()),
        [bearer, client_id, jwt] if bearer.eq_ignore_ascii_case("bearer") => {
            findings.push(Finding::BearerAndClientId);
            (Some(client_id.to_owned()), jwt.to_owned())
        }
        [scheme, .., jwt] => {
            findings.push(Finding::ManyParts(words.len()));
            (Some(scheme.to_owned()), jwt.to_owned())
        }
    }
}
