//! Values that are one word: text, numbers, durations, sizes.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

use super::value::shown;
use super::{Fault, Value, nearest};
use crate::config::tree::Tree;
use crate::model::{Advice, StatusSet};

impl<'a> Value<'a> {
    /// Reads text; `what` says what it is, as in "a host".
    pub(in crate::config) fn text(&self, what: &str) -> Option<&'a str> {
        match self.tree {
            Tree::Text(text) => Some(text),
            _ => self.unexpected(what),
        }
    }

    /// Reads text that a number or `true` would be, too, in quotes.
    pub(in crate::config) fn free_text(&self, what: &str) -> Option<&'a str> {
        match self.tree {
            Tree::Bool(_) | Tree::Whole(_) | Tree::Real(_) => {
                self.fail(Fault::new(format!("expected {what}, found {self}")).help("put it in quotes"))
            }
            Tree::Null | Tree::Text(_) | Tree::List(_) | Tree::Mapping(_) | Tree::Tagged(_) => {
                self.text(what)
            }
        }
    }

    /// Reads text that is a `T`.
    pub(in crate::config) fn parsed<T>(&self, what: &str) -> Option<T>
    where
        T: FromStr<Err: Advice>,
    {
        let is_text_in_quotes = |text: String| text.parse::<T>().is_ok();
        let text = match self.tree {
            Tree::Whole(number) if is_text_in_quotes(number.to_string()) => self.free_text(what)?,
            Tree::Bool(value) if is_text_in_quotes(value.to_string()) => self.free_text(what)?,
            _ => self.text(what)?,
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => self.fail(fault(&error)),
        }
    }

    /// Reads one of `words`.
    pub(in crate::config) fn one_of<T: Copy>(&self, what: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known = || words.iter().map(|(word, _)| *word);
        let fault = match nearest(text, known()) {
            Some(meant) => Fault::new(format!("`{}` is not {what}; did you mean `{meant}`?", shown(text))),
            None => Fault::new(format!("`{}` is not {what}", shown(text))).help(format!(
                "write {}",
                known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
            )),
        };
        self.fail(fault)
    }

    /// Reads `true` or `false`.
    pub(in crate::config) fn boolean(&self) -> Option<bool> {
        let said = match self.tree {
            Tree::Bool(value) => return Some(*value),
            Tree::Text(text) => text.to_ascii_lowercase(),
            _ => return self.unexpected("`true` or `false`"),
        };
        let fault = Fault::new(format!("expected `true` or `false`, found {self}"));
        self.fail(match said.as_str() {
            "on" | "yes" | "y" | "true" => fault.help("write `true`"),
            "off" | "no" | "n" | "false" => fault.help("write `false`"),
            _ => fault,
        })
    }

    /// Reads a whole number within `bounds`.
    pub(in crate::config) fn whole<T>(&self, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + PartialOrd + std::fmt::Display + TryFrom<i128>,
    {
        let wanted = format_args!("a whole number from {} to {}", bounds.start(), bounds.end()).to_string();
        match self.tree {
            Tree::Whole(number) => match T::try_from(*number) {
                Ok(value) if bounds.contains(&value) => Some(value),
                Ok(_) | Err(_) => {
                    self.fail(Fault::new(format!("{number} is out of range: it must be {wanted}")))
                }
            },
            Tree::Text(text) if text.parse::<i128>().is_ok() => {
                self.fail(Fault::new(format!("expected {wanted}, found {self}")).help("remove the quotes"))
            }
            _ => self.unexpected(&wanted),
        }
    }

    /// Reads a percentage with up to two places after the point, as hundredths of a percent within `bounds`.
    pub(in crate::config) fn percent(&self, bounds: RangeInclusive<u32>) -> Option<u32> {
        let shown = |hundredths: &u32| f64::from(*hundredths) / 100.0;
        let wanted = format!("a percentage from {} to {}", shown(bounds.start()), shown(bounds.end()));
        let hundredths = match self.tree {
            Tree::Whole(number) => *number as f64 * 100.0,
            Tree::Real(number) => number * 100.0,
            Tree::Text(text) if text.trim_end_matches([' ', '%']).parse::<f64>().is_ok() => {
                let fault = Fault::new(format!("expected {wanted}, found {self}"));
                return self.fail(fault.help("write the number alone, as in `0.5`"));
            }
            _ => return self.unexpected(&wanted),
        };
        let whole = hundredths.round();
        // Out of what is no number, or beyond an `u32`, comes one that is out of bounds.
        let value = if whole.is_finite() { whole as u32 } else { 0 };
        if bounds.contains(&value) && (hundredths - whole).abs() < 1e-6 {
            return Some(value);
        }
        self.fail(Fault::new(format!(
            "{self} is out of range: it must be {wanted}, with two places at the most"
        )))
    }

    /// Reads a duration within `bounds`.
    pub(in crate::config) fn duration(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        const WHAT: &str = "a duration like `10s`, `250ms` or `1m 30s`";
        let text = match self.tree {
            Tree::Text(text) => text,
            Tree::Whole(number) => return self.fail(without_unit(&number.to_string())),
            Tree::Real(number) => return self.fail(without_unit(&number.to_string())),
            _ => return self.unexpected(WHAT),
        };
        if text.parse::<f64>().is_ok() {
            return self.fail(without_unit(text));
        }
        match humantime::parse_duration(text) {
            Ok(value) if bounds.contains(&value) => Some(value),
            Ok(value) => self.fail(out_of_bounds(text, value, &bounds)),
            Err(humantime::DurationError::NumberOverflow) => {
                self.fail(out_of_bounds(text, Duration::MAX, &bounds))
            }
            Err(_) => {
                let fault = Fault::new(format!("`{}` is not a duration", shown(text)));
                self.fail(fault.help("write it like `10s`, `250ms` or `1m 30s`"))
            }
        }
    }

    /// Reads a size in bytes within `bounds`.
    pub(in crate::config) fn size(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let size = match self.tree {
            Tree::Whole(number) => u64::try_from(*number).ok(),
            Tree::Text(text) => match text.parse::<ByteSize>() {
                Ok(size) => Some(size.as_u64()),
                Err(_) => {
                    let fault = Fault::new(format!("`{}` is not a size", shown(text)));
                    return self.fail(fault.help("write it like `64KiB`, `1MiB` or `65536`"));
                }
            },
            _ => return self.unexpected("a size like `64KiB` or `1MiB`"),
        };
        let (least, most) = (bounds.start(), bounds.end());
        match size {
            Some(size) if bounds.contains(&size) => Some(size),
            Some(0) if *least == 1 => {
                self.fail(Fault::new("0 would let nothing through").help("for no limit remove the key"))
            }
            Some(_) | None => self
                .fail(Fault::new(format!("{self} is out of range: it must be from {least} to {most} bytes"))),
        }
    }

    /// Reads a size in bytes within `bounds`; `off` is none.
    pub(in crate::config) fn size_or_off(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.or_off("a size like `1MiB`", |value| value.size(bounds)).map(Option::unwrap_or_default)
    }

    /// Reads `off` as `Some(None)`, and `what` it is else by `read`.
    pub(in crate::config) fn or_off<T>(
        &self,
        what: &str,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.tree {
            Tree::Text(text) if text == "off" => Some(None),
            Tree::Bool(false) => self.fail(Fault::new("expected `off`, found `false`").help("write `off`")),
            Tree::Text(text) if !text.contains(|c: char| c.is_ascii_digit()) => {
                self.unexpected(&format!("{what} or `off`"))
            }
            _ => read(self).map(Some),
        }
    }

    /// Reads statuses and ranges of them: one, or a list.
    pub(in crate::config) fn statuses(&self) -> Option<StatusSet> {
        let sets = self.each_or_one("a status", |item| match item.tree {
            Tree::Whole(number) => match number.to_string().parse::<StatusSet>() {
                Ok(set) => Some(set),
                Err(error) => item.fail(fault(&error)),
            },
            _ => item.parsed("a status like `200` or `200-399`"),
        })?;
        Some(StatusSet::union(sets))
    }

    /// Reads the path of a file.
    pub(in crate::config) fn file_path(&self) -> Option<PathBuf> {
        match self.free_text("the path of a file")? {
            "" => self.fail(Fault::new("the path is empty").help("remove the key if no file is wanted")),
            text => Some(PathBuf::from(text)),
        }
    }
}

/// The fault behind an error that has advice.
pub(in crate::config) fn fault(error: &impl Advice) -> Fault {
    let fault = Fault::new(shown_long(&error.to_string()));
    match error.advice() {
        Some(advice) => fault.help(shown_long(&advice)),
        None => fault,
    }
}

/// A message that may quote the file, cut where it would fill the screen.
fn shown_long(message: &str) -> String {
    match message.char_indices().nth(400).and_then(|(index, _)| message.get(..index)) {
        Some(start) => format!("{start}…"),
        None => message.to_owned(),
    }
}

fn without_unit(number: &str) -> Fault {
    let number = shown(number);
    let fault = Fault::new(format!("{number} has no unit, and a duration needs one"));
    match number.trim_start_matches('-') {
        positive if positive.parse::<u64>().is_ok() => {
            fault.help(format!("write `{positive}s` or `{positive}ms`"))
        }
        _ => fault.help("write it like `10s`, `250ms` or `1m 30s`"),
    }
}

fn out_of_bounds(text: &str, value: Duration, bounds: &RangeInclusive<Duration>) -> Fault {
    let text = shown(text);
    if value.is_zero() {
        return Fault::new(format!("`{text}` would be over before it began"))
            .help(format!("write at least `{}`", humantime::format_duration(*bounds.start())));
    }
    let (least, most) =
        (humantime::format_duration(*bounds.start()), humantime::format_duration(*bounds.end()));
    Fault::new(format!("`{text}` is out of range: it must be from {least} to {most}"))
}
