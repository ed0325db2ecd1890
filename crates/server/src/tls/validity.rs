//! When a certificate is valid: the one thing in it that the TLS library does not tell.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The time in which a certificate is valid, both ends included, in Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
}

impl Validity {
    /// Reads it out of a certificate in DER (RFC 5280, 4.1); `None` where it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate)?;
        let (signed, _) = expect(SEQUENCE, certificate)?;
        let (tag, _, after_version) = element(signed)?;
        let rest = if tag == VERSION {
            after_version
        } else {
            signed
        };
        let (_serial, rest) = expect(INTEGER, rest)?;
        let (_algorithm, rest) = expect(SEQUENCE, rest)?;
        let (_issuer, rest) = expect(SEQUENCE, rest)?;
        let (validity, _) = expect(SEQUENCE, rest)?;
        let (tag, from, rest) = element(validity)?;
        let from_ms = time_ms(tag, from)?;
        let (tag, until, _) = element(rest)?;
        let until_ms = time_ms(tag, until)?;
        Some(Self { from_ms, until_ms })
    }

    /// Whether it is valid at a time.
    pub(super) fn holds_at(self, now_ms: i64) -> bool {
        (self.from_ms..=self.until_ms).contains(&now_ms)
    }
}

/// A time in Unix ms as people read it.
pub(super) fn readable(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

fn expect(wanted: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&short, bytes) = bytes.split_first()?;
    let (length, bytes) = if short < 0x80 {
        (usize::from(short), bytes)
    } else {
        // A length of up to four bytes: no file that is read here is longer.
        let count = usize::from(short & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (digits, bytes) = bytes.split_at_checked(count)?;
        let length = digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        (length, bytes)
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (years 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time_ms(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let mut pairs = digits.chunks(2).map(two_digits);
    let mut next = || pairs.next()?;
    let year = match tag {
        UTC_TIME => {
            let year = next()?;
            year + if year < 50 { 2_000 } else { 1_900 }
        }
        GENERALIZED_TIME => next()? * 100 + next()?,
        _ => return None,
    };
    let mut small = || i8::try_from(next()?).ok();
    let (month, day) = (small()?, small()?);
    let (hour, minute, second) = (small()?, small()?, small()?);
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // The last hours of the year 9999, which stand for "for ever", are beyond what can be told.
    let time = TimeZone::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX);
    Some(time.as_millisecond())
}

fn two_digits(pair: &[u8]) -> Option<i16> {
    std::str::from_utf8(pair)
        .ok()
        .filter(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        certificate.der().to_vec()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (from, until) in [
            ((1975, 1, 2), (2049, 12, 31)),
            ((2050, 2, 28), (4096, 1, 1)),
        ] {
            let day = |(year, month, day)| ms(&format!("{year}-{month:02}-{day:02}T00:00:00Z"));
            let validity = Validity::of(&certificate(from, until)).unwrap();
            assert_eq!(
                (validity.from_ms, validity.until_ms),
                (day(from), day(until))
            );
        }
        let ever = time_ms(GENERALIZED_TIME, b"99991231235959Z").unwrap();
        assert!(ever > ms("9999-01-01T00:00:00Z"));
        for wrong in [
            "991231235959",
            "9912312359Z",
            "991331235959Z",
            "+9123123595aZ",
            "Z",
        ] {
            assert_eq!(time_ms(UTC_TIME, wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn both_ends_belong_to_the_time() {
        let validity = Validity {
            from_ms: 10,
            until_ms: 20,
        };
        let holds: Vec<_> = [9, 10, 20, 21].map(|ms| validity.holds_at(ms)).into();
        assert_eq!(holds, [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_is_none_or_read_without_harm(
            at in 0_usize..300, byte: u8, length in 0_usize..400,
        ) {
            let mut bytes = certificate((2020, 1, 1), (2030, 1, 1));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(length);
            let _ = Validity::of(&bytes);
        }
    }
}
