//! Values that cannot be wrong: what is taken prints as something that is taken for the same, and what is refused is
//! refused with advice that can be followed.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bookend::model::{Advice, HostPattern, Name, NodeAddress, PathPrefix, StatusSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    read::<HostPattern>(text);
    read::<PathPrefix>(text);
    read::<NodeAddress>(text);
    read::<StatusSet>(text);
    read::<Name>(text);
});

fn read<T>(text: &str)
where
    T: FromStr<Err: Advice> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            assert!(printed.parse::<T>().is_ok_and(|again| again == value), "{text:?} became {printed:?}");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let advice = error.advice().unwrap_or_default();
            let Some(example) = literal(&advice) else { return };
            assert!(example.parse::<T>().is_ok(), "for {text:?}: {advice}");
        }
    }
}

/// The value that an advice says to write, if it names one.
fn literal(advice: &str) -> Option<&str> {
    let (_, rest) = advice.split_once("write `").or_else(|| advice.split_once("add it, as in `"))?;
    let (example, _) = rest.split_once('`')?;
    Some(example.trim_matches('"'))
}
