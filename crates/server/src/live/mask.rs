//! Masking of client frames (RFC 6455, 5.3).

/// Applies a frame's mask to a part of its payload. `offset` is where in the payload the part
/// starts. Works on eight bytes at a time.
pub(super) fn unmask(part: &mut [u8], mask: [u8; 4], offset: usize) {
    let turn = u32::try_from(offset % 4).unwrap_or(0) * 8;
    let mask = u32::from_be_bytes(mask).rotate_left(turn).to_be_bytes();
    let [a, b, c, d] = mask;
    let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = part.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unmasking_by_words_equals_unmasking_by_bytes(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            mask in any::<[u8; 4]>(),
            cut in 0_usize..200,
        ) {
            let naive: Vec<u8> =
                payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            let mut fast = payload.clone();
            let cut = cut.min(fast.len());
            let (head, tail) = fast.split_at_mut(cut);
            unmask(head, mask, 0);
            unmask(tail, mask, cut);
            prop_assert_eq!(fast, naive);
        }
    }
}
