//! The envelope: CloudEvents 1.0 in structured JSON mode.

use bytes::Bytes;
use serde::Serialize;

use super::data::Shown;
use crate::domain::{ProductId, Timestamp};
use crate::ports::Event;

/// What an event says about itself; the attributes are those of the specification and of its
/// partitioning extension.
pub(super) struct Attributes<'a> {
    pub(super) id: String,
    pub(super) source: &'a str,
    pub(super) name: &'static str,
    pub(super) at: Timestamp,
    pub(super) subject: Option<String>,
    /// What a consumer that spreads its work keeps together.
    pub(super) partition: Option<ProductId>,
}

#[derive(Serialize)]
struct CloudEvent<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    name: &'static str,
    time: Shown<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitionkey: Option<Shown<ProductId>>,
    data: D,
}

/// The event with `data`, ready to be sent.
pub(super) fn sealed(attributes: Attributes<'_>, data: impl Serialize) -> Event {
    let event = CloudEvent {
        specversion: "1.0",
        id: &attributes.id,
        source: attributes.source,
        name: attributes.name,
        time: Shown(attributes.at),
        subject: attributes.subject.as_deref(),
        datacontenttype: "application/json",
        partitionkey: attributes.partition.map(Shown),
        data,
    };
    // Writing plain values into memory has no way to fail.
    let body = Bytes::from(serde_json::to_vec(&event).unwrap_or_default());
    Event { id: attributes.id, name: attributes.name, at: attributes.at, body }
}
