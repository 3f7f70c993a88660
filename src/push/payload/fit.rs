use unicode_segmentation::UnicodeSegmentation as _;

/// Without any text the payload is still too large: its data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{size} bytes without any text, the limit is {limit}")]
pub struct TooLarge {
    pub size: usize,
    pub limit: usize,
}

const ELLIPSIS: &str = "…";

/// Serialises with title and body cut so that the result has at most `limit` bytes: first the
/// body from its end, then the title, always between graphemes, so that no emoji is torn.
/// `write` must put each text into the JSON at most once and must not depend on it otherwise.
pub fn fit<E>(
    title: &str,
    body: &str,
    limit: usize,
    write: impl Fn(&str, &str) -> Result<Vec<u8>, E>,
) -> Result<Result<Vec<u8>, TooLarge>, E> {
    let whole = write(title, body)?;
    if whole.len() <= limit {
        return Ok(Ok(whole));
    }
    let bare = write("", "")?.len();
    let Some(room) = limit.checked_sub(bare) else {
        return Ok(Err(TooLarge { size: bare, limit }));
    };
    let title = cut(title, room);
    let room = room - escaped_len(&title);
    let body = cut(body, room);
    Ok(Ok(write(&title, &body)?))
}

/// The longest prefix of whole graphemes, with an ellipsis, that takes at most `room` bytes in JSON.
fn cut(text: &str, room: usize) -> String {
    if escaped_len(text) <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(ELLIPSIS.len()) else {
        return String::new();
    };
    let mut used = 0;
    let mut end = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        used += escaped_len(grapheme);
        if used > room {
            break;
        }
        end = start + grapheme.len();
    }
    format!("{}{ELLIPSIS}", text[..end].trim_end())
}

/// How many bytes a text takes inside a JSON string: `serde_json` escapes quotes, backslashes
/// and control characters and leaves all else as it is.
fn escaped_len(text: &str) -> usize {
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0x00..=0x1f => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(extra).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn write(title: &str, body: &str) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&json!({"t": title, "b": body, "x": 1}))
    }

    fn fitted(title: &str, body: &str, limit: usize) -> Value {
        let bytes = fit(title, body, limit, write).expect("json").expect("room");
        assert!(bytes.len() <= limit, "{} bytes of {limit}", bytes.len());
        serde_json::from_slice(&bytes).expect("valid JSON")
    }

    #[test]
    fn text_that_fits_is_not_touched() {
        assert_eq!(fitted("Ann", "hello", 100)["b"], "hello");
    }

    #[test]
    fn text_is_cut_between_graphemes_and_never_inside_one() {
        // A family of four people is one grapheme of 25 bytes.
        let family = "👨‍👩‍👧‍👦";
        let text = family.repeat(10);
        let body = fitted("Ann", &text, 100)["b"].as_str().expect("text").to_owned();
        let kept = body.strip_suffix(ELLIPSIS).expect("an ellipsis");
        assert_eq!(kept.len() % family.len(), 0);
        assert!(!kept.is_empty());
    }

    #[test]
    fn the_title_is_kept_before_the_body_and_cut_last() {
        let cut = fitted(&"t".repeat(40), &"b".repeat(40), 80);
        assert_eq!(cut["t"], "t".repeat(40));
        let cut = fitted(&"t".repeat(400), "b", 80);
        assert!(cut["t"].as_str().expect("text").ends_with(ELLIPSIS));
        assert_eq!(cut["b"], "");
    }

    #[test]
    fn data_alone_over_the_limit_is_an_error_with_both_sizes() {
        let error = fit("a", "b", 10, write).expect("json").expect_err("too large");
        assert_eq!(error, TooLarge { size: write("", "").expect("json").len(), limit: 10 });
    }

    proptest! {
        #[test]
        fn any_text_ends_within_the_limit_as_a_prefix_of_itself(
            title in any::<String>(), body in "(\\PC|[\"\\\\\n\u{1}\u{7f}]){0,200}", limit in 40_usize..300,
        ) {
            let shown = fitted(&title, &body, limit);
            let shown = shown["b"].as_str().expect("text");
            prop_assert!(body.starts_with(shown.trim_end_matches(ELLIPSIS)));
        }
    }
}
