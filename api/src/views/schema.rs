//! Schemas of values whose types belong to the domain, which knows nothing of OpenAPI.

use shared::domain::{Phase, Reason, Status};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

fn words(words: impl Iterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// Where an order stands.
pub(super) fn status() -> Object {
    words(Status::ALL.iter().map(|status| status.as_str()))
        .description(Some("QUEUED and PARKED are not decided yet."))
        .build()
}

/// Where an order stands, or null.
pub(super) fn status_or_null() -> Object {
    words(Status::ALL.iter().map(|status| status.as_str()))
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .build()
}

/// Why a purchase was refused, or null.
pub(super) fn reason() -> Object {
    words(Reason::ALL.iter().map(|reason| reason.as_str()))
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("Why it was refused; null unless it was."))
        .build()
}

/// Where somebody stands in line.
pub(super) fn queue_status() -> Object {
    words(super::waiting_room::STATUSES.into_iter()).build()
}

/// Where a sale stands.
pub(super) fn phase() -> Object {
    words(Phase::ALL.iter().map(|phase| phase.as_str()))
        .description(Some("By the ledger's clock, at `serverTime`."))
        .build()
}

/// Where a sale stands, and whether anything of it is left.
pub(super) fn sale_status() -> Object {
    let all = Phase::ALL.iter().map(|phase| phase.as_str());
    words(all.chain([super::live::SOLD_OUT]))
        .description(Some("By the ledger's clock and the stock."))
        .build()
}
