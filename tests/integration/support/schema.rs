//! Values of JSON held to the schemas of an OpenAPI document.
//!
//! It knows the words that our document uses and fails on any other, so that no schema says something that nobody looks at.
//! Beyond what JSON Schema asks for, a value may have no key that its schema does not name.

use serde_json::{Map, Value};

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// As the schema says.
    Fits,
    /// And everything that the schema names is there, and nothing is null that may be more.
    IsWhole,
}

/// The schemas of a document.
pub(crate) struct Schemas<'a> {
    document: &'a Value,
    strictness: Strictness,
}

impl<'a> Schemas<'a> {
    pub(crate) fn of(document: &'a Value, strictness: Strictness) -> Self {
        Self { document, strictness }
    }

    /// What a `$ref` leads to; anything else is itself.
    pub(crate) fn resolve(&self, part: &'a Value) -> &'a Value {
        let Some(target) = part.get("$ref") else { return part };
        let pointer = target.as_str().unwrap().strip_prefix('#').unwrap();
        self.document.pointer(pointer).unwrap_or_else(|| panic!("there is no {target}"))
    }

    /// Panics unless `value` is what the schema of this name says.
    #[track_caller]
    pub(crate) fn hold(&self, name: &str, value: &Value) {
        let schema = &self.document["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        self.check(schema, value, name);
    }

    /// Panics unless `value`, which is at `place`, is what `schema` says.
    #[track_caller]
    pub(crate) fn check(&self, schema: &'a Value, value: &Value, place: &str) {
        let schema = self.resolve(schema);
        for (word, wanted) in schema.as_object().unwrap() {
            let holds = match word.as_str() {
                "description" | "default" | "examples" => true,
                "type" => self.is_of(wanted, value),
                "anyOf" => return self.check_choice(wanted, value, place),
                "enum" => wanted.as_array().unwrap().contains(value),
                "format" => wanted == "date-time" && value.as_str().is_none_or(is_time),
                "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
                "minLength" => length(value) >= wanted.as_u64().unwrap(),
                "maxLength" => length(value) <= wanted.as_u64().unwrap(),
                "required" => texts(wanted).all(|key| value.get(key).is_some()),
                "dependentRequired" => wanted.as_object().unwrap().iter().all(|(key, others)| {
                    value.get(key).is_none() || texts(others).all(|other| value.get(other).is_some())
                }),
                "items" => {
                    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{place}[{number}]"));
                    }
                    self.strictness == Strictness::Fits || value.as_array().is_none_or(|all| !all.is_empty())
                }
                "properties" => self.check_properties(wanted.as_object().unwrap(), value, place),
                "additionalProperties" if *wanted == Value::Bool(false) => true,
                "additionalProperties" => {
                    for (key, value) in value.as_object().unwrap() {
                        self.check(wanted, value, &format!("{place}.{key}"));
                    }
                    true
                }
                _ => panic!("nobody looks at {word:?} in the schema of {place}"),
            };
            assert!(holds, "{place} does not have {word} {wanted}: {value}");
        }
    }

    fn check_properties(&self, schemas: &'a Map<String, Value>, value: &Value, place: &str) -> bool {
        let Some(object) = value.as_object() else { return true };
        for (key, value) in object {
            let schema =
                schemas.get(key).unwrap_or_else(|| panic!("{place} has {key}, which is not described"));
            self.check(schema, value, &format!("{place}.{key}"));
        }
        let missing = schemas.keys().find(|key| !object.contains_key(*key));
        let is_whole = self.strictness == Strictness::Fits || missing.is_none();
        assert!(is_whole, "{place} has no {missing:?}, which is described");
        true
    }

    /// Either null or something else: there is no other choice in our document.
    fn check_choice(&self, choice: &'a Value, value: &Value, place: &str) {
        let choices = choice.as_array().unwrap();
        assert!(choices.len() == 2 && choices[1]["type"] == "null", "{place} is another choice: {choice}");
        if !value.is_null() || self.strictness == Strictness::IsWhole {
            self.check(&choices[0], value, place);
        }
    }

    fn is_of(&self, kinds: &Value, value: &Value) -> bool {
        let is = |kind: &Value| match kind.as_str().unwrap() {
            "null" => value.is_null() && self.strictness == Strictness::Fits,
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        };
        kinds.as_array().map_or_else(|| is(kinds), |kinds| kinds.iter().any(is))
    }
}

fn texts(array: &Value) -> impl Iterator<Item = &str> {
    array.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

fn length(value: &Value) -> u64 {
    value.as_str().unwrap_or_default().chars().count() as u64
}

/// Whether a text is a time as bookend writes it: `2026-11-22T20:54:11Z`.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}
