//! A list of tracking IDs.

use axum::extract::{FromRequest, Request};
use serde_json::Value;
use shared::domain::TrackingId;

use super::{Fields, body};
use crate::problem::{Faults, Problem};
use crate::state::Shared;

/// IDs in one query.
const QUERY_MAX: usize = 500;
/// Five hundred IDs are 19.5 kB of JSON, more than a usual body may have.
const BODY_TIMES: usize = 2;

/// `{"trackingIds":[…]}`.
#[derive(Debug)]
pub struct TrackingIds(pub Vec<TrackingId>);

impl FromRequest<Shared> for TrackingIds {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, app, BODY_TIMES).await?;
        Ok(Self(tracking_ids(&body)?))
    }
}

fn tracking_ids(body: &str) -> Result<Vec<TrackingId>, Faults> {
    let mut fields = Fields::read(body)?;
    let ids = match fields.value("trackingIds") {
        None => {
            fields.faults().note_missing("trackingIds");
            None
        }
        Some(Value::Array(values)) if values.len() <= QUERY_MAX => {
            // A fault anywhere refuses the list, but all of them are wanted first.
            let ids = values.iter().enumerate();
            Some(ids.filter_map(|(at, value)| one(at, value, &mut fields)).collect())
        }
        Some(_) => {
            fields.wrong("trackingIds", format!("must be an array of at most {QUERY_MAX} IDs"))
        }
    };
    fields.finish(ids)
}

fn one(at: usize, value: &Value, fields: &mut Fields) -> Option<TrackingId> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    if id.is_none() {
        let fault = shared::domain::tracking::InvalidTrackingId.to_string();
        fields.faults().note(format!("trackingIds[{at}]"), fault);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_that_is_none_is_named() {
        let faults = tracking_ids(r#"{"trackingIds":["x",7]}"#).unwrap_err();
        assert!(faults.of("trackingIds[0]") && faults.of("trackingIds[1]"), "{faults:?}");
    }

    #[test]
    fn five_hundred_are_enough() {
        let list = |n| format!("{{\"trackingIds\":{:?}}}", vec!["x"; n]);
        assert!(tracking_ids(&list(501)).unwrap_err().of("trackingIds"));
        assert_eq!(tracking_ids("{\"trackingIds\":[]}"), Ok(vec![]));
        assert!(tracking_ids("{}").unwrap_err().of("trackingIds"));
    }
}
