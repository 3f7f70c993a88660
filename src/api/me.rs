//! `/v1/me`: one's own profile.

use axum::extract::State;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::Api;
use super::accounts::check_name;
use super::caller::Caller;
use super::extract::Json;
use crate::gateway::Problem;
use crate::model::Profile;
use crate::protocol::ErrorCode;
use crate::store::ProfileChange;

/// A field that is missing stays; one that is `null` is cleared.
#[derive(Deserialize, ToSchema)]
pub struct ProfileRequest {
    #[serde(default, deserialize_with = "given")]
    display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    avatar_url: Option<Option<String>>,
}

/// Longest address of a picture, in bytes.
const MAX_URL: usize = 2048;

pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl ProfileRequest {
    pub fn change(self) -> Result<ProfileChange, Problem> {
        check_name(self.display_name.as_ref().and_then(Option::as_deref))?;
        if let Some(Some(url)) = &self.avatar_url {
            let web = url.starts_with("https://") || url.starts_with("http://");
            if !web || url.len() > MAX_URL || url.chars().any(char::is_control) {
                return Err(Problem::bad_request(format!(
                    "`avatar_url` is an http or https address of at most {MAX_URL} bytes"
                )));
            }
        }
        Ok(ProfileChange { display_name: self.display_name, avatar_url: self.avatar_url })
    }
}

/// One's own profile.
#[utoipa::path(get, path = "/v1/me", responses((status = 200, body = Profile), (status = 404)))]
pub async fn read(State(api): State<Api>, caller: Caller) -> Result<axum::Json<Profile>, Problem> {
    let profile = api.gateway.store.profiles(std::slice::from_ref(&caller.user_id)).await?.pop();
    profile.map(axum::Json).ok_or_else(no_user)
}

/// Changes one's own profile.
#[utoipa::path(patch, path = "/v1/me", responses((status = 200, body = Profile), (status = 404)))]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Json(request): Json<ProfileRequest>,
) -> Result<axum::Json<Profile>, Problem> {
    let change = request.change()?;
    let profile = api.gateway.store.change_profile(&caller.user_id, &change).await?;
    profile.map(axum::Json).ok_or_else(no_user)
}

pub fn no_user() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such user")
}
