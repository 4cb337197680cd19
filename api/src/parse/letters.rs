//! Which dead letters an operator means.

use std::num::NonZeroU32;

use axum::extract::{FromRequest, Request};
use serde_json::Value;
use shared::pipeline::dead_letters::Which;
use shared::ports::{LetterId, LetterRef};

use super::{Fields, body};
use crate::problem::{Faults, Problem};
use crate::state::Shared;

/// Letters named in one request.
const IDS_MAX: usize = 500;
/// Five hundred order IDs are 19.5 kB of JSON, more than a usual body may have.
const BODY_TIMES: usize = 2;
/// Letters replayed per second where the operator does not say.
pub const RATE_DEFAULT: u32 = 50;
/// Letters replayed per second at most.
pub const RATE_MAX: u32 = 1_000;

/// `{"ids":[…]}` or `{"all":true}`, with `after` and `rate`.
#[derive(Debug, PartialEq, Eq)]
pub struct LettersForm {
    /// Which ones.
    pub which: Which,
    /// Only those after this one.
    pub after: LetterId,
    /// Letters replayed per second.
    pub rate: NonZeroU32,
}

impl FromRequest<Shared> for LettersForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, app, BODY_TIMES).await?;
        Ok(read(&body)?)
    }
}

fn read(body: &str) -> Result<LettersForm, Faults> {
    let mut fields = Fields::read(body)?;
    let all = fields.flag("all").unwrap_or_default();
    let ids = match fields.value("ids") {
        None => None,
        Some(Value::Array(values)) if values.len() <= IDS_MAX => {
            let ids = values.iter().enumerate();
            Some(ids.filter_map(|(at, value)| one(at, value, &mut fields)).collect())
        }
        Some(_) => fields.wrong("ids", format!("must be an array of at most {IDS_MAX} letters")),
    };
    let which = match (all, ids) {
        (true, None) if !fields.faults().of("ids") => Some(Which::All),
        (false, Some(ids)) => Some(Which::These(ids)),
        _ => {
            if !fields.faults().of("ids") {
                fields.faults().note("ids", "exactly one of ids and all must be given");
            }
            None
        }
    };
    let after = LetterId(fields.integer("after", 0..=i64::MAX).unwrap_or_default());
    let rate = fields.integer("rate", 1..=RATE_MAX.into());
    let rate = rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(RATE_DEFAULT);
    let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    fields.finish(which.map(|which| LettersForm { which, after, rate }))
}

/// A number, or an order ID.
fn one(at: usize, value: &Value, fields: &mut Fields) -> Option<LetterRef> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fault = |fault: &str| fields.faults().note(format!("ids[{at}]"), fault.to_owned());
    text.parse().map_err(fault).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_named_by_number_or_order() {
        let form = read(r#"{"ids":[7,"8","019a9d2e-3c00-8000-8000-9f0c6a1b2c3d"],"rate":5}"#);
        let form = form.unwrap();
        let Which::These(letters) = form.which else { panic!("not these") };
        assert_eq!(letters[..2], [7, 8].map(|n| LetterRef::Id(LetterId(n))));
        assert!(matches!(letters[2], LetterRef::Order(_)));
        assert_eq!((form.after, form.rate.get()), (LetterId(0), 5));
        let all = read(r#"{"all":true,"after":3}"#).unwrap();
        assert_eq!((all.which, all.after, all.rate.get()), (Which::All, LetterId(3), RATE_DEFAULT));
    }

    #[test]
    fn what_is_not_meant_clearly_is_refused() {
        for body in ["{}", r#"{"all":false}"#, r#"{"all":true,"ids":[1]}"#, r#"{"ids":7}"#] {
            assert!(read(body).unwrap_err().of("ids"), "{body}");
        }
        let faults = read(r#"{"ids":[0,"x",1.5],"rate":0}"#).unwrap_err();
        for field in ["ids[0]", "ids[1]", "ids[2]", "rate"] {
            assert!(faults.of(field), "{field}: {faults:?}");
        }
    }
}
