//! What people log in with.

use axum::extract::{FromRequest, Request};
use secrecy::SecretString;
use shared::domain::UserId;

use super::JsonBody;
use super::fields::Fields;
use crate::identity::PASSWORD_CHARS;
use crate::problem::{Faults, Problem};
use crate::state::Shared;

const TOKEN_BYTES_MAX: usize = 128;
/// Four bytes for each character.
const PASSWORD_BYTES_MAX: usize = 4 * *PASSWORD_CHARS.end();

/// A name and a password.
#[derive(Debug)]
pub struct Credentials {
    /// Who.
    pub user_id: UserId,
    /// Their password, or so they say.
    pub password: SecretString,
}

impl FromRequest<Shared> for Credentials {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let JsonBody(body) = JsonBody::from_request(request, app).await?;
        Ok(credentials(&body)?)
    }
}

fn credentials(body: &str) -> Result<Credentials, Faults> {
    let mut fields = Fields::read(body)?;
    let user_id = fields.text("userId", 128).and_then(|text| match UserId::parse(text) {
        Ok(user_id) => Some(user_id),
        Err(error) => fields.wrong("userId", error.0),
    });
    let password = fields.text("password", PASSWORD_BYTES_MAX).and_then(|text| {
        if PASSWORD_CHARS.contains(&text.chars().count()) {
            return Some(SecretString::from(text));
        }
        let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
        fields.wrong("password", format!("must have {least} to {most} characters"))
    });
    for required in ["userId", "password"] {
        if fields.value(required).is_none() {
            fields.faults().note_missing(required);
        }
    }
    let both = user_id.zip(password);
    fields.finish(both.map(|(user_id, password)| Credentials { user_id, password }))
}

/// A refresh token.
#[derive(Debug)]
pub struct RefreshToken(pub SecretString);

impl FromRequest<Shared> for RefreshToken {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let JsonBody(body) = JsonBody::from_request(request, app).await?;
        let mut fields = Fields::read(&body)?;
        let token = fields.text("refreshToken", TOKEN_BYTES_MAX);
        if token.as_deref() == Some("") {
            fields.faults().note("refreshToken", "must not be empty");
        }
        if fields.value("refreshToken").is_none() {
            fields.faults().note_missing("refreshToken");
        }
        Ok(Self(fields.finish(token)?.into()))
    }
}
