//! The credential of an HTTP request.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// What is wrong with an `Authorization` header. Never holds any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    #[error("more than one Authorization header")]
    Several,
    #[error("the Authorization header is not `Bearer TOKEN`")]
    NotBearer,
}

/// The credential in `Authorization: Bearer …`; `None` when there is no such header.
///
/// The scheme is compared without case (RFC 9110, 11.1) and one or more spaces follow it. The
/// credential has to be `token68`-like: visible ASCII without spaces or commas.
///
/// # Errors
/// Two headers are refused rather than choosing one, since a proxy in front may choose the other.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(BearerError::Several);
    }
    let value = value.to_str().map_err(|_| BearerError::NotBearer)?;
    let (scheme, rest) = value.split_once(' ').ok_or(BearerError::NotBearer)?;
    let credential = rest.trim_matches(' ');
    let plain = |b: u8| b.is_ascii_graphic() && b != b',';
    if !scheme.eq_ignore_ascii_case("bearer") || credential.is_empty() || !credential.bytes().all(plain) {
        return Err(BearerError::NotBearer);
    }
    Ok(Some(credential))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_scheme_is_compared_without_case() {
        for value in ["Bearer abc.d", "bearer abc.d", "BEARER abc.d", "Bearer   abc.d "] {
            assert_eq!(bearer(&headers(&[value])), Ok(Some("abc.d")), "{value:?}");
        }
    }

    #[test]
    fn a_request_without_the_header_has_no_credential() {
        assert_eq!(bearer(&headers(&[])), Ok(None));
    }

    #[test]
    fn other_schemes_and_odd_credentials_are_refused() {
        for value in ["", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "abc", "Bearer a b", "Bearer a,b"] {
            assert_eq!(bearer(&headers(&[value])), Err(BearerError::NotBearer), "{value:?}");
        }
    }

    #[test]
    fn two_headers_are_refused() {
        let map = headers(&["Bearer a", "Bearer b"]);
        assert_eq!(bearer(&map), Err(BearerError::Several));
    }
}
