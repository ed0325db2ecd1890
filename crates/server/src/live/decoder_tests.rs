use proptest::prelude::*;

use super::*;

const LIMIT: usize = 4_096;

/// What a peer was seen to send.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Idle,
    Close(u16),
    Fault(u16),
}

fn client_frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        n @ 0..=125 => bytes.push(0x80 | u8::try_from(n).unwrap()),
        n @ 126..=65_535 => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            bytes.push(0xff);
            bytes.extend((n as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
    bytes
}

/// Feeds the reads and notes everything found up to the first fault or close.
fn decode(reads: &[&[u8]]) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for read in reads {
        if let Err(fault) = decoder.feed(read) {
            seen.push(Seen::Fault(fault.code.get()));
            return seen;
        }
        loop {
            // A read is at most 64 KiB in the loop; here the reads are shorter than the limit
            // or the test says how much they hold.
            let slack = read.len() + 2 * 139;
            assert!(decoder.held_bytes() <= LIMIT + slack, "{decoder:?}");
            match decoder.step(LIMIT) {
                Ok(None) => break,
                Ok(Some(found)) => match show(&decoder, &found) {
                    Ok(shown) => {
                        let end = matches!(shown, Seen::Close(_));
                        seen.push(shown);
                        if end {
                            return seen;
                        }
                    }
                    Err(fault) => {
                        seen.push(Seen::Fault(fault.code.get()));
                        return seen;
                    }
                },
                Err(fault) => {
                    seen.push(Seen::Fault(fault.code.get()));
                    return seen;
                }
            }
        }
    }
    seen
}

fn show(decoder: &Decoder, found: &Found) -> Result<Seen, Fault> {
    Ok(match found {
        Found::Message(place) => match decoder.message(place)? {
            Message::Text(text) => Seen::Text(text.to_owned()),
            Message::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        },
        Found::Ping(range) => Seen::Ping(decoder.control(range).to_vec()),
        Found::Idle => Seen::Idle,
        Found::Close(code) => Seen::Close(code.get()),
    })
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut reads = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (read, after) = rest.split_at((*size).min(rest.len()));
        reads.push(read.to_vec());
        rest = after;
    }
    reads
}

/// One item a peer sends, and what must be seen of it, from the parts of a message.
fn item() -> impl Strategy<Value = (Vec<u8>, Vec<Seen>)> {
    let mask = any::<[u8; 4]>();
    let texts = proptest::collection::vec("[a-zé€😀]{0,60}", 1..5);
    let message = (texts, mask, any::<bool>()).prop_map(|(parts, mask, ping)| {
        let mut bytes = Vec::new();
        let mut seen = Vec::new();
        let last = parts.len() - 1;
        // Fragments are cut inside characters where that is possible.
        let whole = parts.concat();
        let size = whole.len() / parts.len();
        for i in 0..=last {
            let end = if i == last {
                whole.len()
            } else {
                (i + 1) * size
            };
            let part = &whole.as_bytes()[i * size..end];
            let first = u8::from(i == 0) | u8::from(i == last) << 7;
            bytes.extend(client_frame(first, part, mask));
            if part.is_empty() && i != last {
                seen.push(Seen::Idle);
            }
            if ping && i != last {
                bytes.extend(client_frame(0x89, &[1, 2, 3], mask));
                seen.push(Seen::Ping(vec![1, 2, 3]));
            }
        }
        seen.push(Seen::Text(whole));
        (bytes, seen)
    });
    let binary = (proptest::collection::vec(any::<u8>(), 0..700), mask)
        .prop_map(|(data, mask)| (client_frame(0x82, &data, mask), vec![Seen::Binary(data)]));
    prop_oneof![message, binary]
}

proptest! {
    #[test]
    fn any_split_into_reads_gives_the_same_messages(
        items in proptest::collection::vec(item(), 1..6),
        sizes in proptest::collection::vec(1_usize..300, 1..6),
    ) {
        let bytes: Vec<u8> = items.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<Seen> = items.iter().flat_map(|(_, seen)| seen.clone()).collect();
        prop_assert_eq!(decode(&[&bytes]), expected.clone());
        let reads = cut(&bytes, &sizes);
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(decode(&reads), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic_nor_fill_memory(
        bytes in proptest::collection::vec(any::<u8>(), 0..6_000),
        sizes in proptest::collection::vec(1_usize..900, 1..4),
    ) {
        let reads = cut(&bytes, &sizes);
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        decode(&reads);
    }

    #[test]
    fn bytes_that_look_like_frames_never_panic_nor_fill_memory(
        frames in proptest::collection::vec(
            (any::<u8>(), 0_u8..=127, proptest::collection::vec(any::<u8>(), 0..140)), 0..20),
        sizes in proptest::collection::vec(1_usize..200, 1..4),
    ) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|(first, length, rest)| {
            [vec![first & 0x8f, 0x80 | length], rest].concat()
        }).collect();
        let reads = cut(&bytes, &sizes);
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        decode(&reads);
    }
}

#[test]
fn nothing_is_held_when_everything_is_read() {
    let mut decoder = Decoder::default();
    for read in client_frame(0x81, &[b'x'; 3_000], [1, 2, 3, 4]).chunks(7) {
        decoder.feed(read).unwrap();
        while let Some(found) = decoder.step(LIMIT).unwrap() {
            show(&decoder, &found).unwrap();
        }
    }
    assert_eq!(decoder.held_bytes(), 0);
    assert!(decoder.partial.is_none());
}

#[test]
fn a_message_above_the_limit_is_refused_by_its_header() {
    let mut frame = client_frame(0x81, &[b'x'; LIMIT + 1], [0; 4]);
    frame.truncate(8);
    assert_eq!(decode(&[&frame]), [Seen::Fault(1009)]);
    let mut huge = vec![0x82, 0xff];
    huge.extend((u64::MAX >> 1).to_be_bytes());
    huge.extend([0; 4]);
    assert_eq!(decode(&[&huge]), [Seen::Fault(1009)]);
}

#[test]
fn fragments_that_add_up_above_the_limit_are_refused() {
    let half = vec![b'x'; LIMIT / 2 + 1];
    let first = client_frame(0x01, &half, [9; 4]);
    let second = client_frame(0x80, &half, [8; 4]);
    assert_eq!(decode(&[&first, &second[..8]]), [Seen::Fault(1009)]);
}

#[test]
fn what_breaks_the_protocol_is_refused() {
    let long_ping = [vec![0x89, 0xfe, 0, 126, 0, 0, 0, 0], vec![0; 126]].concat();
    let negative = [vec![0x82, 0xff], vec![0xff; 8], vec![0; 4]].concat();
    let double = [
        client_frame(0x01, b"a", [0; 4]),
        client_frame(0x81, b"b", [0; 4]),
    ]
    .concat();
    for bytes in [
        vec![0x81, 0x01, b'x'],
        client_frame(0xc1, b"x", [0; 4]),
        client_frame(0x83, b"x", [0; 4]),
        client_frame(0x8b, b"x", [0; 4]),
        client_frame(0x09, b"x", [0; 4]),
        client_frame(0x80, b"x", [0; 4]),
        client_frame(0x88, b"x", [0; 4]),
        client_frame(0x88, &1005_u16.to_be_bytes(), [0; 4]),
        long_ping,
        negative,
        double,
    ] {
        assert_eq!(decode(&[&bytes]), [Seen::Fault(1002)], "{bytes:?}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_as_soon_as_it_shows() {
    let whole = client_frame(0x81, b"ab\xff", [3; 4]);
    assert_eq!(decode(&[&whole]), [Seen::Fault(1007)]);
    // The rest of this frame never comes.
    let started = client_frame(0x81, b"ab\xffcdefgh", [3; 4]);
    assert_eq!(decode(&[&started[..9]]), [Seen::Fault(1007)]);
    let cut_off = client_frame(0x81, b"ab\xe2\x82", [3; 4]);
    assert_eq!(decode(&[&cut_off[..7], &cut_off[7..]]), [Seen::Fault(1007)]);
    let reason = client_frame(0x88, b"\x03\xe8\xff", [3; 4]);
    assert_eq!(decode(&[&reason]), [Seen::Fault(1007)]);
}
