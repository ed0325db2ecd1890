//! Times as Go prints them, which is how shipped pages write them into receipts (`spec 3.9`).

use jiff::Timestamp;

/// Reads RFC 3339, or `2006-01-02 15:04:05.999999999 +0000 UTC`; Unix ms.
pub(super) fn parse(text: &str) -> Option<i64> {
    let timestamp: Timestamp = match text.parse() {
        Ok(timestamp) => timestamp,
        Err(_) => from_go(text)?,
    };
    Some(timestamp.as_millisecond())
}

fn from_go(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    // The name of the zone tells nothing that the offset does not.
    let _zone = words.next();
    let plain = offset.len() == 5
        && offset.starts_with(['+', '-'])
        && offset.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !plain || words.next().is_some() {
        return None;
    }
    let (hours, minutes) = offset.split_at_checked(3)?;
    format!("{date}T{time}{hours}:{minutes}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        let ms = Some(1_583_777_221_501);
        for text in [
            "2020-03-09T18:07:01.501Z",
            "2020-03-09T20:07:01.501+02:00",
            "2020-03-09 18:07:01.501 +0000 UTC",
            "2020-03-09 18:07:01.501999999 +0000 UTC",
            "2020-03-09 20:07:01.501 +0200 CEST",
            "2020-03-09 18:07:01.501 +0000",
        ] {
            assert_eq!(parse(text), ms, "{text}");
        }
        assert_eq!(
            parse("2020-03-09 18:07:01 +0000 UTC"),
            Some(1_583_777_221_000)
        );
        for text in [
            "",
            "yesterday",
            "2020-03-09",
            "2020-03-09 18:07:01",
            "2020-13-09 18:07:01 +0000 UTC",
            "2020-03-09 18:07:01 +00:00 UTC",
            "2020-03-09 18:07:01 UTC",
            "2020-03-09 18:07:01 +0000 UTC m=+0.1",
            "2020-03-09 18:07:01 +é00 UTC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
