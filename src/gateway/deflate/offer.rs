//! What a client offers and what we take of it (RFC 7692, 7.1).

use axum::http::{HeaderMap, HeaderValue, header};

use super::codec::{LARGEST_WINDOW, SMALLEST_WINDOW};

const NAME: &str = "permessage-deflate";

/// The bits of our window and the answer, for the first offer that we can meet.
pub(super) fn agree(headers: &HeaderMap) -> Option<(u8, HeaderValue)> {
    headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| parts(value, ','))
        .find_map(|offer| {
            let window_bits = take(offer)?;
            let answer = match window_bits {
                None => format!("{NAME}; server_no_context_takeover; client_no_context_takeover"),
                Some(bits) => format!(
                    "{NAME}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits={bits}"
                ),
            };
            Some((window_bits.unwrap_or(LARGEST_WINDOW), HeaderValue::from_str(&answer).ok()?))
        })
}

/// The window that the offer asks of us, if it does; `None` when it is to be declined.
fn take(offer: &str) -> Option<Option<u8>> {
    let mut parameters = parts(offer, ';');
    if parameters.next() != Some(NAME) {
        return None;
    }
    let mut seen = Vec::new();
    let mut window_bits = None;
    for parameter in parameters {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(bare(value.trim_start())?)),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            ("server_max_window_bits", Some(value)) => {
                window_bits = Some(bits(value).filter(|bits| *bits >= SMALLEST_WINDOW)?);
            }
            // Ours inflates with the largest window, whatever the client's is.
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(value)) => {
                bits(value)?;
            }
            _ => return None,
        }
    }
    Some(window_bits)
}

/// A decimal number without leading zeros from 8 to 15.
fn bits(value: &str) -> Option<u8> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| digits && (8..=15).contains(bits))
}

/// A value without its quotes; one with an escape in it is none of ours.
fn bare(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\'])),
        None => Some(value).filter(|value| !value.contains('"')),
    }
}

/// Splits where the separator is not between quotes, and trims.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        let inside = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        letter == separator && !inside
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offers: &[&str]) -> Option<(u8, String)> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(offer).unwrap());
        }
        agree(&headers).map(|(bits, answer)| (bits, answer.to_str().unwrap().to_owned()))
    }

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn offers_that_can_be_met_are_taken() {
        for offer in [
            "permessage-deflate",
            " permessage-deflate ; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=8",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"10\"",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
        ] {
            assert_eq!(answer(&[offer]), Some((15, PLAIN.to_owned())), "{offer}");
        }
        for bits in 9..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let expected = format!("{PLAIN}; server_max_window_bits={bits}");
            assert_eq!(answer(&[&offer]), Some((bits, expected)));
        }
    }

    #[test]
    fn offers_that_cannot_be_met_or_are_wrong_are_declined() {
        for offer in [
            "",
            "permessage-deflat",
            "permessage-deflate; unknown",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate;",
            "permessage-bzip2; method=\"a, permessage-deflate\"",
            "permessage-bzip2; method=\"a\\\", permessage-deflate\"",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
        assert_eq!(answer(&[]), None);
    }

    #[test]
    fn the_first_offer_that_can_be_met_wins() {
        let several = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10, permessage-deflate";
        assert_eq!(answer(&[several]).map(|(bits, _)| bits), Some(10));
        let headers = ["permessage-deflate; mystery", "other; a=\"b;c\", permessage-deflate"];
        assert_eq!(answer(&headers), Some((15, PLAIN.to_owned())));
    }
}
