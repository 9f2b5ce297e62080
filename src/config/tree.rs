//! A YAML document as it was written: every entry of a mapping in order, twice if it stands there twice.
//!
//! `serde_yaml::Value` would do but for two things: it ends at the first double key, and an alias costs it nothing to
//! write and everything to read. So its deserializer fills this tree, which counts what it takes.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// What a document may cost with every alias written out: bytes of text, and [`VALUE_COST`] for each value.
const BUDGET: usize = 8 * 1024 * 1024;
/// What a value costs beside its text.
const VALUE_COST: usize = 16;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction or an exponent, infinite or not a number.
    Real(f64),
    /// Everything else that is one word or more.
    Text(String),
    /// Values in order.
    List(Vec<Tree>),
    /// Keys and values in order.
    Mapping(Vec<(Tree, Tree)>),
    /// A value with a tag, `!this`, which means nothing here.
    Tagged(String),
}

/// Why there is no tree.
pub(super) enum Fault {
    /// The aliases multiply beyond what a configuration can need; with the place where it became too much.
    TooMuch(Option<(usize, usize)>),
    /// The text is no YAML.
    Syntax(serde_yaml::Error),
    /// The text is more than one document.
    SecondDocument,
}

impl Tree {
    /// Reads the only document in `text`.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let left = Cell::new(BUDGET);
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let tree = match documents.next() {
            None => Self::Null,
            Some(document) => Seed { left: &left }.deserialize(document).map_err(|error| {
                let place = error.location().map(|place| (place.line(), place.column()));
                match left.get() {
                    0 => Fault::TooMuch(place),
                    _ => Fault::Syntax(error),
                }
            })?,
        };
        match documents.next() {
            None => Ok(tree),
            Some(_) => Err(Fault::SecondDocument),
        }
    }
}

/// Reads a value and takes what it costs from `left`, which is 0 when it was too much.
#[derive(Clone, Copy)]
struct Seed<'b> {
    left: &'b Cell<usize>,
}

impl Seed<'_> {
    fn spend<E: de::Error>(self, text_len: usize) -> Result<(), E> {
        let left = self.left.get().saturating_sub(text_len.saturating_add(VALUE_COST));
        self.left.set(left);
        match left {
            0 => Err(E::custom("too much")),
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        self.spend(0).map(|()| Tree::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Tree, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        self.spend(0).map(|()| Tree::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Tree, E> {
        self.spend(0).map(|()| Tree::Whole(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Tree, E> {
        self.visit_i128(i128::try_from(value).unwrap_or(i128::MAX))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        self.spend(0).map(|()| Tree::Real(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree, E> {
        self.spend(text.len()).map(|()| Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        self.spend(0)?;
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry_seed(self, self)? {
            mapping.push(entry);
        }
        Ok(Tree::Mapping(mapping))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Tree, A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        content.newtype_variant_seed(self)?;
        Ok(Tree::Tagged(tag))
    }
}
