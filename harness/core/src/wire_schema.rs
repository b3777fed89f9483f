//! The JSON Schemas of the protocol's messages, generated from the types: `docs/protocol/`.

use crate::wire::{FromAgent, ToAgent};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One schema a message, by the message's name with the one who says it: `agent-hello`, `harness-open`.
#[must_use]
pub fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = messages::<FromAgent>("agent");
    schemas.extend(messages::<ToAgent>("harness"));
    schemas
}

fn messages<T: JsonSchema>(who: &str) -> BTreeMap<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let whole = T::json_schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    let shapes = whole.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    shapes
        .into_iter()
        .filter_map(|shape| {
            let name = shape.get("properties")?.as_object()?.keys().next()?.clone();
            let needed = needed(&shape, &definitions);
            let mut schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": format!("`{name}`, said by the {who}"),
            });
            if let (Some(schema), Value::Object(shape)) = (schema.as_object_mut(), shape) {
                schema.extend(shape);
                schema.insert("$defs".to_owned(), Value::Object(needed));
            }
            Some((format!("{who}-{name}"), schema))
        })
        .collect()
}

/// The definitions that a schema refers to, directly or through others.
fn needed(schema: &Value, definitions: &serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    let mut needed = serde_json::Map::new();
    let mut open = vec![schema.clone()];
    while let Some(next) = open.pop() {
        match next {
            Value::Object(map) => {
                if let Some(name) =
                    map.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next())
                    && let Some(definition) = definitions.get(name)
                    && needed.insert(name.to_owned(), definition.clone()).is_none()
                {
                    open.push(definition.clone());
                }
                open.extend(map.into_iter().map(|(_, value)| value));
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_message_has_a_schema_with_all_it_refers_to() {
        let schemas = super::schemas();
        assert_eq!(schemas.len(), 21, "{:?}", schemas.keys());
        for (name, schema) in schemas {
            let text = schema.to_string();
            for reference in text.split("#/$defs/").skip(1) {
                let target = reference.split('"').next().unwrap_or_default();
                assert!(schema["$defs"].get(target).is_some(), "{name} refers to {target}");
            }
        }
    }
}
