//! Claims of a token (spec 1.2): reading a payload never panics, and what is written again is the
//! same claims in an encoding that a browser's `atob` can read.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_protocol::{Claims, ascii_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(claims) = Claims::parse(payload) else { return };
    let written = ascii_json(&claims).expect("claims can be written");
    let encoded = URL_SAFE_NO_PAD.encode(&written);
    assert!(!encoded.contains(['-', '_']), "{written}");
    let again = Claims::parse(written.as_bytes()).expect("written claims can be read");
    assert_eq!(again, claims);
});
