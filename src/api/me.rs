//! `/v1/me`: one's own profile, and when one's phones may ring.

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::accounts::check_name;
use super::caller::Caller;
use super::extract::Json;
use super::push_wishes::{Wishes, WishesChange, WishesRequest};
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

/// A change of oneself.
#[derive(Deserialize, ToSchema)]
pub struct MeRequest {
    #[serde(flatten)]
    profile: ProfileRequest,
    #[serde(default, deserialize_with = "given")]
    push: Option<Option<WishesRequest>>,
}

#[derive(Serialize, ToSchema)]
pub struct Me {
    #[serde(flatten)]
    profile: Profile,
    push: Wishes,
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

/// One's own profile, and when one's phones may ring.
#[utoipa::path(get, path = "/v1/me", responses((status = 200, body = Me), (status = 404)))]
pub async fn read(State(api): State<Api>, caller: Caller) -> Result<axum::Json<Me>, Problem> {
    let profile = api.gateway.store.profiles(std::slice::from_ref(&caller.user_id)).await?.pop();
    let profile = profile.ok_or_else(no_user)?;
    let push = api.push_wishes(&caller.user_id).await?;
    Ok(axum::Json(Me { profile, push }))
}

/// Changes one's own profile, or when one's phones may ring.
#[utoipa::path(patch, path = "/v1/me", responses((status = 200, body = Me), (status = 404)))]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Json(request): Json<MeRequest>,
) -> Result<axum::Json<Me>, Problem> {
    // All of it is checked before any of it is done.
    let change = request.profile.change()?;
    let wishes = match request.push {
        None => None,
        Some(None) => Some(WishesChange::CLEAR),
        Some(Some(wishes)) => Some(wishes.check(api.push.expiry)?),
    };
    let profile = api.gateway.store.change_profile(&caller.user_id, &change).await?;
    let profile = profile.ok_or_else(no_user)?;
    api.gateway.profile_changed();
    let push = match wishes {
        Some(wishes) => api.change_push_wishes(&caller.user_id, wishes).await?,
        None => api.push_wishes(&caller.user_id).await?,
    };
    Ok(axum::Json(Me { profile, push }))
}

pub fn no_user() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such user")
}
