//! Accounts and sessions of the shop's own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::identity::{Access, Tokens};
use crate::parse::schema::{CredentialsBody, RefreshBody};
use crate::parse::{Credentials, RefreshToken};
use crate::problem::{Problem, responses};
use crate::state::Shared;

/// What to send with every request, and what to get the next one with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokensView {
    /// Sent as `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how long the access token is good, in seconds.
    expires_in: u32,
    /// Good for one call of `/api/v1/auth/refresh`.
    refresh_token: String,
    /// For how long the session lasts, in seconds.
    refresh_expires_in: u32,
    /// Whose tokens they are.
    user_id: String,
    /// What they may do: `customer` or `operator`.
    role: &'static str,
}

impl From<Tokens> for TokensView {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access,
            token_type: "Bearer",
            expires_in: tokens.access_seconds,
            refresh_token: tokens.refresh.expose_secret().to_owned(),
            refresh_expires_in: tokens.refresh_seconds,
            user_id: tokens.user_id.as_str().to_owned(),
            role: tokens.role.as_str(),
        }
    }
}

/// Registers a customer
#[utoipa::path(
    post,
    path = "/api/v1/auth/register",
    tag = "Identity",
    request_body = CredentialsBody,
    responses(
        (status = 201, description = "Registered, and logged in", body = TokensView),
        (status = 400, response = responses::Invalid),
        (status = 409, response = responses::UserTaken),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 429, response = responses::RateLimited),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn register(
    State(app): State<Shared>,
    access: Access,
    Credentials { user_id, password }: Credentials,
) -> Result<(StatusCode, Json<TokensView>), Problem> {
    app.limits.sign_in(access.origin, Some(&user_id)).await?;
    let sessions = &app.sessions;
    sessions.register(user_id.clone(), password.clone(), access.origin).await?;
    let tokens = sessions.login(user_id, password, access.origin).await?;
    Ok((StatusCode::CREATED, Json(tokens.into())))
}

/// Logs a user in
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "Identity",
    request_body = CredentialsBody,
    responses(
        (status = 200, description = "Logged in", body = TokensView),
        (status = 400, response = responses::Invalid),
        (status = 401, response = responses::WrongCredentials),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 429, response = responses::RateLimited),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn login(
    State(app): State<Shared>,
    access: Access,
    Credentials { user_id, password }: Credentials,
) -> Result<Json<TokensView>, Problem> {
    app.limits.sign_in(access.origin, Some(&user_id)).await?;
    let tokens = app.sessions.login(user_id, password, access.origin).await?;
    Ok(Json(tokens.into()))
}

/// Gives the next pair of tokens
///
/// A refresh token is good for one call. One that comes a second time ends its session: one of the two
/// who sent it had stolen it.
#[utoipa::path(
    post,
    path = "/api/v1/auth/refresh",
    tag = "Identity",
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The next pair", body = TokensView),
        (status = 400, response = responses::Invalid),
        (status = 401, response = responses::WrongCredentials),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 429, response = responses::RateLimited),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn refresh(
    State(app): State<Shared>,
    access: Access,
    RefreshToken(token): RefreshToken,
) -> Result<Json<TokensView>, Problem> {
    app.limits.sign_in(access.origin, None).await?;
    let tokens = app.sessions.refresh(&token, access.origin).await?;
    Ok(Json(tokens.into()))
}

/// Ends a session
///
/// Its refresh token is good for nothing afterwards; access tokens run out by themselves. A token that is
/// not known is no error: whoever sends it is logged out.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "Identity",
    request_body = RefreshBody,
    responses(
        (status = 204, description = "Logged out"),
        (status = 400, response = responses::Invalid),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 429, response = responses::RateLimited),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn logout(
    State(app): State<Shared>,
    access: Access,
    RefreshToken(token): RefreshToken,
) -> Result<StatusCode, Problem> {
    app.sessions.logout(&token, access.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
