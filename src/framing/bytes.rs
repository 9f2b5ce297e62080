//! Which bytes may stand where.

/// Whether a byte may stand in a token: a method, the name of a field, or a chunk extension's (RFC 9110 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

/// Whether a byte may stand in a target: visible, and no beginning of a fragment, which is for the client alone and of
/// which every server makes something else.
pub(super) fn is_target(byte: u8) -> bool {
    class(byte) & TARGET != 0
}

/// Whether a byte may stand in the name of a host.
pub(super) fn is_host(byte: u8) -> bool {
    class(byte) & HOST != 0
}

/// Whether a byte may stand in the value of a field: visible, blank, or beyond ASCII (RFC 9110 5.5).
pub(super) fn is_value(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

/// Where the first control byte other than a tab is.
///
/// Eight bytes at a time, because every head is read in full for this: it finds the ends of lines and what may not stand
/// in them alike.
pub(super) fn find_control(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some((word, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let suspects = suspects(u64::from_le_bytes(*word));
        if suspects == 0 {
            at += 8;
            continue;
        }
        at += suspects.trailing_zeros() as usize / 8;
        if bytes.get(at).is_some_and(|&byte| !is_value(byte)) {
            return Some(at);
        }
        at += 1;
    }
    let rest = bytes.get(at..)?.iter().position(|&byte| !is_value(byte))?;
    Some(at + rest)
}

/// The high bit of every control byte, and of some others: tabs, and what a carry from the byte before it makes look like
/// one.
fn suspects(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (low, delete) = (word.wrapping_sub(ONES * 0x20), word.wrapping_add(ONES));
    (low | delete) & !word & HIGHS
}

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// What each byte may stand in: a table, because every byte of a first line and of a name is looked up.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let is_mark = matches!(
            byte as u8,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        let is_name = (byte as u8).is_ascii_alphanumeric();
        let token = if is_mark || is_name { TOKEN } else { 0 };
        let target = if (byte as u8).is_ascii_graphic() && byte as u8 != b'#' { TARGET } else { 0 };
        let host = if is_name || matches!(byte as u8, b'-' | b'.' | b'_' | b'~') { HOST } else { 0 };
        #[expect(clippy::indexing_slicing, reason = "below 128, and checked when compiled")]
        {
            classes[byte] = token | target | host;
        }
        byte += 1;
    }
    classes
};
