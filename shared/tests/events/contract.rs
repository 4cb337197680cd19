//! What `docs/asyncapi.json` promises.

use std::collections::BTreeSet;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// A file in `docs`.
pub(crate) fn document(name: &str) -> String {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The AsyncAPI document.
pub(crate) struct Contract(Value);

impl Contract {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(&document("asyncapi.json")).unwrap())
    }

    /// Every type of event: the routing keys of its channels.
    pub(crate) fn types(&self) -> BTreeSet<String> {
        let channels = self.0["channels"].as_object().unwrap().values();
        let of_broker = channels.filter(|channel| !channel["bindings"]["ws"].is_object());
        of_broker.map(|channel| channel["address"].as_str().unwrap().to_owned()).collect()
    }

    /// An example of that type of event.
    pub(crate) fn example(&self, name: &str) -> &Value {
        &self.0["components"]["messages"][name]["examples"][0]["payload"]
    }

    /// The messages of the WebSocket, by their names in the document.
    pub(crate) fn of_socket(&self) -> impl Iterator<Item = &String> {
        self.0["channels"]["ws"]["messages"].as_object().unwrap().keys()
    }

    /// Panics where `event` is not as the message of its type says.
    pub(crate) fn check(&self, event: &Value) {
        self.check_as(event["type"].as_str().expect("a type"), event);
    }

    /// Panics where `event` is not as the message of that name says.
    pub(crate) fn check_as(&self, name: &str, event: &Value) {
        let errors: Vec<_> = self
            .validator(name)
            .iter_errors(event)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{event:#}\n{errors:#?}");
    }

    /// The schema of a message, within the document, so that its references lead somewhere.
    fn validator(&self, name: &str) -> Validator {
        assert!(!self.example(name).is_null(), "{name} is not in the document");
        let mut schema = self.0.clone();
        schema["$ref"] = json!(format!("#/components/messages/{name}/payload"));
        let options = jsonschema::options().with_draft(Draft::Draft7);
        options.should_validate_formats(true).build(&schema).unwrap()
    }
}
