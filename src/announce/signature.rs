//! Signing messages, so that whoever gets one knows whom it is from.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::state::Secret;

/// The header that the signature stands in.
pub(super) const HEADER: &str = "x-bookend-signature";

/// What the header says of a `body` that is sent at `time`, in seconds since 1970: the HMAC-SHA256 of the time, a full stop
/// and the body. The time is signed so that nobody can send an old message again.
pub(super) fn sign(key: &Secret, time: u64, body: &[u8]) -> Option<String> {
    // There is no key that HMAC would not take.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let mut header = format!("t={time},v1=");
    for byte in mac.finalize().into_bytes() {
        write!(header, "{byte:02x}").ok()?;
    }
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_what_others_compute() {
        let file = std::env::temp_dir().join(format!("bookend-signature-{}", std::process::id()));
        std::fs::write(&file, "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
        let key = Secret::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…
        let wanted = "t=1700000000,v1=571f5ee1111173602b107be07231407b642ad64a01f700c055a34d444f4b6192";
        assert_eq!(sign(&key, 1_700_000_000, b"{\"a\":1}").as_deref(), Some(wanted));
    }
}
