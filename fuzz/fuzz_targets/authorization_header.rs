//! The Authorization header (spec 1.2): taking it apart never panics, and what comes out is what
//! went in: one space, a client id that could be registered or `Bearer`, a token without a space.
#![no_main]

use crowdlink_core::tokens::parse_authorization;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let Ok(parsed) = parse_authorization(header) else { return };
    let (first, jwt) = header.split_once(' ').expect("an accepted header has a space");
    assert_eq!(parsed.jwt, jwt);
    assert!(!jwt.is_empty() && !jwt.contains(char::is_whitespace));
    match &parsed.client_id {
        Some(client_id) => assert_eq!(client_id.as_str(), first),
        None => assert!(first.eq_ignore_ascii_case("bearer")),
    }
    let other = format!("{first} x");
    let other = parse_authorization(&other).expect("any other token would do");
    assert_eq!(format!("{parsed:?}"), format!("{other:?}"), "the token does not print");
});
