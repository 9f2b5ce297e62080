use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::{any_value, headers};
use crate::headers::RequestId;

#[test]
fn well_formed_id_is_kept() {
    let longest = "x".repeat(128);
    for id in ["a", "01HV-7.x_y~z+/==", longest.as_str()] {
        let kept = RequestId::new(&headers(&[("x-request-id", id)]), 7);
        assert!(kept.is_kept());
        assert_eq!((kept.as_str(), kept.value().as_bytes()), (id, id.as_bytes()));
    }
}

#[test]
fn other_id_is_replaced_by_32_hexadecimal_digits() {
    let overlong = "x".repeat(129);
    for id in ["", "a b", "a,b", "\"a\"", "<script>", "\u{e9}", overlong.as_str()] {
        let made = RequestId::new(&headers(&[("x-request-id", id)]), 0xabc);
        assert!(!made.is_kept(), "{id}");
        assert_eq!(made.to_string(), "00000000000000000000000000000abc");
    }
    let two = headers(&[("x-request-id", "a"), ("x-request-id", "a")]);
    assert_eq!(RequestId::new(&two, u128::MAX).as_str(), "f".repeat(32));
    assert_eq!(RequestId::new(&HeaderMap::new(), 0).as_str(), "0".repeat(32));
}

proptest! {
    #[test]
    fn id_is_safe_to_write_whatever_came(value in any_value(), random in any::<u128>()) {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", value);
        let id = RequestId::new(&headers, random);
        prop_assert!((1..=128).contains(&id.as_str().len()));
        prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b)));
        headers.insert("x-request-id", HeaderValue::from(id.value()));
        let again = RequestId::new(&headers, !random);
        prop_assert_eq!(again.value(), id.value());
    }
}
