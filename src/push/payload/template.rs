use super::{Occasion, Why};

/// A line with the words `{sender}`, `{conversation}`, `{text}` and `{count}` to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Words(String),
    Sender,
    Conversation,
    Text,
    Count,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TemplateError {
    #[error("unknown word {{{0}}}: there are {{sender}}, {{conversation}}, {{text}} and {{count}}")]
    UnknownWord(String),
    #[error("a {{ without its }}")]
    Unclosed,
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(line: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = line;
        while let Some((words, after)) = rest.split_once('{') {
            let (word, next) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            pieces.push(Piece::Words(words.to_owned()));
            pieces.push(match word {
                "sender" => Piece::Sender,
                "conversation" => Piece::Conversation,
                "text" => Piece::Text,
                "count" => Piece::Count,
                other => return Err(TemplateError::UnknownWord(other.to_owned())),
            });
            rest = next;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Ok(Self(pieces))
    }
}

impl Template {
    /// Fills the line. `without_text` stands where a message has no text.
    /// What is filled in is never read as a template again.
    pub(super) fn fill(&self, occasion: &Occasion, without_text: &str) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Words(words) => line.push_str(words),
                Piece::Sender => line.push_str(&occasion.sender_name),
                Piece::Conversation => line.push_str(occasion.conversation()),
                Piece::Text => line.push_str(occasion.text.as_deref().unwrap_or(without_text)),
                Piece::Count => match occasion.why {
                    Why::Summary { count } => line.push_str(&count.to_string()),
                    Why::Direct | Why::Group | Why::Mention => line.push('1'),
                },
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::tests::occasion;
    use super::*;

    #[test]
    fn a_template_fills_its_words_once() {
        let mut occasion = occasion(Why::Group);
        occasion.text = Some("{sender} {".to_owned());
        let template: Template = "{sender} in {conversation}: {text}".parse().expect("a template");
        assert_eq!(template.fill(&occasion, "-"), "Ann in Team: {sender} {");
    }

    #[test]
    fn a_template_with_an_unknown_word_is_refused() {
        assert_eq!("{name}".parse::<Template>(), Err(TemplateError::UnknownWord("name".to_owned())));
        assert_eq!("{sender".parse::<Template>(), Err(TemplateError::Unclosed));
    }
}
