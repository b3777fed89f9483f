//! Amounts: whole numbers that may name limits and varied parameters, as `PIPE_BUF + 1` or `2 * size`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;

/// A sum of products of numbers and names, kept as written for ids and messages.
///
/// Grammar: `term (('+' | '-') term)*`, `term = factor ('*' factor)*`, `factor = NUMBER | NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Term {
    negative: bool,
    factors: Vec<Factor>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Factor {
    Number(u64),
    Name(String),
}

/// Why an amount has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// A name that is neither a limit nor a varied parameter.
    UnknownName(String),
    /// A limit that this host does not have.
    MissingLimit(String),
    /// The value does not fit: below zero, or above 2^63 - 1.
    Overflow,
}

impl std::fmt::Display for AmountError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownName(name) => write!(formatter, "`{name}` is neither a limit nor a parameter of `vary`"),
            Self::MissingLimit(name) => write!(formatter, "this host has no limit `{name}`"),
            Self::Overflow => formatter.write_str("the amount is below zero or above 2^63 - 1"),
        }
    }
}

impl Amount {
    /// A plain number.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self { text: number.to_string(), terms: vec![Term { negative: false, factors: vec![Factor::Number(number)] }] }
    }

    /// As written, with single spaces.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names it uses, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().flat_map(|term| &term.factors).filter_map(|factor| match factor {
            Factor::Name(name) => Some(name.as_str()),
            Factor::Number(_) => None,
        })
    }

    /// Its value where it names nothing.
    #[must_use]
    pub fn plain(&self) -> Option<u64> {
        self.value(&BTreeMap::new(), &BTreeMap::new()).ok()
    }

    /// Its value, given the parameters of this instance and the limits of the host.
    ///
    /// # Errors
    /// When a name has no value, or the value does not fit.
    pub fn value(
        &self,
        parameters: &BTreeMap<String, u64>,
        limits: &BTreeMap<String, u64>,
    ) -> Result<u64, AmountError> {
        let mut sum: i128 = 0;
        for term in &self.terms {
            let mut product: i128 = 1;
            for factor in &term.factors {
                let value = match factor {
                    Factor::Number(number) => *number,
                    Factor::Name(name) => match parameters.get(name).or_else(|| limits.get(name)) {
                        Some(value) => *value,
                        None if crate::limits::is_limit(name) => {
                            return Err(AmountError::MissingLimit(name.clone()));
                        }
                        None => return Err(AmountError::UnknownName(name.clone())),
                    },
                };
                product = product.checked_mul(i128::from(value)).ok_or(AmountError::Overflow)?;
            }
            let signed = if term.negative { -product } else { product };
            sum = sum.checked_add(signed).ok_or(AmountError::Overflow)?;
        }
        match u64::try_from(sum) {
            Ok(value) if i64::try_from(value).is_ok() => Ok(value),
            _ => Err(AmountError::Overflow),
        }
    }
}

impl std::str::FromStr for Amount {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let complain = || format!("`{text}` is no amount: write a number, a limit or a parameter, as `PIPE_BUF + 1`");
        let mut terms: Vec<Term> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut rest = text.trim();
        let mut expect_factor = true;
        let mut negative = false;
        let mut multiply = false;
        while let Some(first) = rest.chars().next() {
            let length = if expect_factor {
                let length = rest
                    .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
                    .unwrap_or(rest.len());
                let word = &rest[..length];
                let factor = if first.is_ascii_digit() {
                    let digits = word.replace('_', "");
                    match digits.parse::<u64>() {
                        Ok(number) => Factor::Number(number),
                        Err(_) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                            return Err(format!("`{text}` overflows: amounts end at 2^63 - 1"));
                        }
                        Err(_) => return Err(complain()),
                    }
                } else if first.is_ascii_alphabetic() {
                    Factor::Name(word.to_owned())
                } else {
                    return Err(complain());
                };
                words.push(word.to_owned());
                match terms.last_mut() {
                    Some(term) if multiply => term.factors.push(factor),
                    _ => terms.push(Term { negative, factors: vec![factor] }),
                }
                length
            } else {
                match first {
                    '+' | '-' => (negative, multiply) = (first == '-', false),
                    '*' => multiply = true,
                    _ => return Err(complain()),
                }
                words.push(first.to_string());
                1
            };
            expect_factor = !expect_factor;
            rest = rest[length..].trim_start();
        }
        if expect_factor {
            return Err(complain());
        }
        let amount = Self { text: words.join(" "), terms };
        if amount.names().next().is_none() && amount.plain().is_none() {
            return Err(format!("`{text}` overflows: amounts lie between 0 and 2^63 - 1"));
        }
        Ok(amount)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.plain() {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.serialize_str(&self.text),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an amount, as 64 or `PIPE_BUF + 1`")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                if i64::try_from(number).is_err() {
                    return Err(E::custom(format!("`{number}` overflows: amounts lie between 0 and 2^63 - 1")));
                }
                Ok(Amount::number(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                u64::try_from(number)
                    .map(Amount::number)
                    .map_err(|_| E::custom(format!("`{number}` is below zero: amounts lie between 0 and 2^63 - 1")))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                Err(E::custom(format!(
                    "`{number}` overflows or is no whole number: amounts lie between 0 and 2^63 - 1"
                )))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A whole number; or a text that names limits (PIPE_BUF, MQ_PRIO_MAX, …) and parameters of `vary`, as `PIPE_BUF + 1`.",
            "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }]
        })
    }
}
