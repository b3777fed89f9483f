//! The JSON Schema of the language, for editors: generated from the types, and from the tables where the language is
//! friendlier than the types.

use crate::{
    Amount, Errno, Signal,
    load::{CLAIMS, PLATFORMS},
    operation::{self, OPERATIONS},
    scenario::{Attach, Channel, Orders, Parts},
    vocabulary::{Ability, MECHANISMS},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema, as the text of `spec/scenario.schema.json`.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    text.push('\n');
    text
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let generator = &mut generator;
    let amount = of::<Amount>(generator);
    let mechanisms: Vec<&str> = MECHANISMS.iter().map(|row| row.name).collect();
    let step = step(generator);
    let channel = of::<Channel<Amount>>(generator);
    let ability = of::<Ability>(generator);
    let attach = of::<Attach>(generator);
    let orders = of::<Orders>(generator);
    let timeout = of::<operation::Timeout>(generator);
    let errno = of::<Errno>(generator);
    let claim = claim(&amount, &errno);
    let claims = json!({ "anyOf": [claim.clone(), { "type": "array", "items": claim }] });
    let text = json!({ "type": "string", "minLength": 1 });
    let steps = json!({ "type": "array", "minItems": 1, "items": { "anyOf": [
        { "$ref": "#/$defs/step" },
        { "type": "object", "required": ["repeat"], "additionalProperties": false, "properties": { "repeat": {
            "type": "object", "required": ["times", "steps"], "additionalProperties": false,
            "properties": { "times": amount, "steps": { "$ref": "#/$defs/steps" } } } } }
    ] } });
    let table = table(generator);
    let mut definitions: Map<String, Value> = generator.take_definitions(true);
    definitions.insert("step".to_owned(), step);
    definitions.insert("table".to_owned(), table);
    definitions.insert("steps".to_owned(), steps);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Plumbline scenario",
        "type": "object",
        "additionalProperties": false,
        "required": ["title", "because", "cites", "mechanisms"],
        "oneOf": [{ "required": ["story"] }, { "required": ["processes"] }],
        "properties": {
            "title": { "type": "string", "maxLength": 100, "description": "One sentence: the guarantee." },
            "because": { "type": "string", "description": "Why a programmer cares." },
            "cites": { "type": "array", "minItems": 1, "items": text, "description": "Where it is promised." },
            "mechanisms": { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "enum": mechanisms } },
            "attach": attach,
            "channels": { "type": "object", "additionalProperties": { "anyOf": [ability, channel] } },
            "story": { "type": "array", "minItems": 1, "description": "One step after another.", "items": {
                "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": { "anyOf": [
                    { "$ref": "#/$defs/step" }, { "$ref": "#/$defs/table" } ] } } },
            "processes": { "type": "object", "minProperties": 1, "description": "All at once.", "additionalProperties": { "anyOf": [
                { "$ref": "#/$defs/steps" },
                { "type": "object", "required": ["steps"], "additionalProperties": false,
                  "properties": { "count": amount, "steps": { "$ref": "#/$defs/steps" } } } ] } },
            "runs": amount,
            "orders": orders,
            "vary": { "type": "object", "additionalProperties": { "type": "array", "minItems": 1, "items": amount } },
            "must": claims,
            "should": claims,
            "may": claims,
            "control": { "type": "object", "required": ["change", "breaks"], "additionalProperties": false, "properties": {
                "change": { "type": "object", "additionalProperties": amount }, "breaks": { "enum": CLAIMS } } },
            "needs": { "type": "array", "items": { "anyOf": [
                { "type": "string" },
                { "type": "object", "required": ["processors"], "properties": { "processors": { "type": "integer" } } } ] } },
            "within": timeout,
            "elsewhere": { "type": "array", "items": { "type": "object", "required": ["where", "because", "source"], "properties": {
                "where": { "enum": PLATFORMS }, "because": text, "source": text,
                "mechanisms": { "type": "array", "items": { "enum": mechanisms } },
                "skip": { "const": true }, "expect": { "const": "broken" } } } }
        },
        "$defs": definitions
    })
}

fn claim(amount: &Value, errno: &Value) -> Value {
    let on = json!({ "type": "string", "description": "The channel it is about." });
    let result = json!({ "anyOf": [{ "const": "done" }, errno, amount] });
    let results = json!({ "type": "object", "additionalProperties": result });
    let properties: Map<String, Value> = CLAIMS
        .iter()
        .map(|name| {
            let argument = match *name {
                "never" | "seen" => results.clone(),
                "ends" => json!({ "type": "object", "additionalProperties": { "anyOf": [{ "type": "integer" }, { "type": "string", "pattern": "^SIG" }] } }),
                _ => on.clone(),
            };
            ((*name).to_owned(), argument)
        })
        .collect();
    json!({ "anyOf": [
        { "enum": CLAIMS },
        { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": properties }
    ] })
}

fn table(generator: &mut SchemaGenerator) -> Value {
    let operations: Vec<&str> = OPERATIONS.iter().map(|row| row.name).collect();
    let errno = of::<Errno>(generator);
    let result = json!({ "anyOf": [{ "const": "done" }, errno, { "type": "array", "items": errno }] });
    json!({
        "type": "object",
        "description": "One operation with several arguments, and how each has to fail.",
        "required": ["table", "rows"],
        "additionalProperties": false,
        "properties": {
            "table": { "enum": operations },
            "channel": { "description": "Which channel.", "type": "string" },
            "rows": { "type": "array", "minItems": 1,
                "items": { "type": "array", "prefixItems": [true, result], "minItems": 2, "maxItems": 2 } }
        }
    })
}

fn step(generator: &mut SchemaGenerator) -> Value {
    let name = json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" });
    let parts = of::<Parts<Amount>>(generator);
    let errno = of::<Errno>(generator);
    let signal = of::<Signal>(generator);
    let value = json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }, parts] });
    let mut properties = Map::new();
    for row in OPERATIONS {
        let mut shapes = vec![arguments(row.name, generator)];
        if row.text.is_some() {
            shapes.push(json!({ "type": "string" }));
        }
        if row.number.is_some() || row.text == Some("text") {
            shapes.push(json!({ "type": "integer", "minimum": 0 }));
        }
        if row.list.is_some() {
            shapes.push(json!({ "type": "array" }));
        }
        if row.text.is_none() && row.number.is_none() && row.list.is_none() {
            shapes.push(json!({ "enum": [true, null] }));
        }
        properties.insert(row.name.to_owned(), json!({ "anyOf": shapes }));
    }
    let others = [
        (
            "gives",
            json!({ "description": "The value it has to give.", "anyOf": [value, { "type": "array", "items": value }] }),
        ),
        (
            "fails",
            json!({ "description": "How it has to fail.", "anyOf": [errno, { "type": "array", "items": errno }] }),
        ),
        ("blocks", json!({ "description": "It has to wait, and is known by this name.", "allOf": [name] })),
        ("resumes", json!({ "description": "The call of this name must have returned by now.", "allOf": [name] })),
        ("still", json!({ "description": "The call of this name must be waiting still.", "allOf": [name] })),
        ("dies", json!({ "description": "It has to end the process with this signal.", "allOf": [signal] })),
        ("record", json!({ "description": "The name of the result in the portrait.", "type": "string" })),
        ("channel", json!({ "description": "Which channel.", "type": "string" })),
    ];
    properties.extend(others.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// The schema of an operation's arguments.
fn arguments(name: &str, generator: &mut SchemaGenerator) -> Value {
    let whole: Schema = operation::Operation::<Amount>::json_schema(generator);
    let whole = whole.to_value();
    let shapes = whole.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    shapes
        .iter()
        .find_map(|shape| shape.get("properties")?.get(name).cloned())
        .unwrap_or_else(|| json!({ "type": "object" }))
}

#[cfg(test)]
mod tests {
    use super::{schema, text};

    #[test]
    fn the_committed_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenario.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == text(), "{path} is stale: run `cargo xtask schema`");
    }

    #[test]
    fn every_operation_has_its_arguments_in_the_schema() {
        let schema = schema();
        let step = &schema["$defs"]["step"]["properties"];
        for row in crate::operation::OPERATIONS {
            let arguments = &step[row.name]["anyOf"][0];
            let referenced =
                arguments["$ref"].as_str().map(|reference| reference.rsplit('/').next().unwrap_or_default());
            let defined = referenced.is_some_and(|name| schema["$defs"].get(name).is_some());
            assert!(defined || arguments.get("properties").is_some(), "{}: {arguments}", row.name);
        }
    }
}
