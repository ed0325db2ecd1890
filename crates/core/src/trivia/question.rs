//! A question: its texts, its options, its state.

use std::collections::BTreeMap;

use crowdlink_protocol::{QuestionState, TriviaQuestion, TriviaResults, TriviaText};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits::Limits;
use crate::runs::Run;

/// Longest id of a question or an option, in characters.
const ID_CHARS_MAX: usize = 64;

/// A question as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) text: TriviaText,
    /// What its votes are counted under: never that of another question, also of one that was
    /// deleted and had the same id.
    pub(super) run: Run,
    pub(super) state: QuestionState,
    pub(super) options: Vec<Choice>,
    next_slot: u64,
    /// While its results are shown.
    pub(super) declared: Option<Declared>,
}

/// An option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    /// What votes name it by: never that of another option of the question, so that the votes of
    /// an option that was deleted are not those of a later one with its id.
    pub(super) slot: u64,
    pub(super) text: TriviaText,
}

/// What was found when a winner was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Declared {
    /// The slot that won.
    pub(super) winner: u64,
    /// Members' votes by slot.
    pub(super) votes: BTreeMap<u64, u64>,
}

impl Question {
    pub(super) fn new(text: TriviaText, run: Run) -> Self {
        Self {
            text,
            run,
            state: QuestionState::Inactive,
            options: Vec::new(),
            next_slot: 0,
            declared: None,
        }
    }

    /// The slot of an option.
    pub(super) fn slot(&self, id: &str) -> Option<u64> {
        let option = self.options.iter().find(|option| option.text.id == id);
        option.map(|option| option.slot)
    }

    fn id(&self, slot: u64) -> Option<String> {
        let option = self.options.iter().find(|option| option.slot == slot);
        option.map(|option| option.text.id.clone())
    }

    /// Puts an option in, or another text in the place of its own.
    pub(super) fn put_option(&mut self, text: TriviaText, max: usize) -> Result<(), Error> {
        if let Some(option) = self.options.iter_mut().find(|o| o.text.id == text.id) {
            option.text = text;
            return Ok(());
        }
        if self.options.len() >= max {
            let expected = format!("is one option too many: a question has at most {max}");
            return Err(Error::invalid("option", expected));
        }
        self.options.push(Choice {
            slot: self.next_slot,
            text,
        });
        self.next_slot += 1;
        Ok(())
    }

    /// Takes an option out; nothing happens where there is none. The votes for it are gone.
    pub(super) fn remove_option(&mut self, id: &str) -> Result<(), Error> {
        let winner = self.declared.as_ref().map(|declared| declared.winner);
        if winner.is_some() && winner == self.slot(id) {
            return Err(Error::invalid("option", "is the winner of the question"));
        }
        self.options.retain(|option| option.text.id != id);
        Ok(())
    }

    /// The question as a voter sees it who voted for a slot.
    pub(super) fn view(&self, you: Option<u64>) -> TriviaQuestion {
        let mut options: Vec<TriviaText> = self.options.iter().map(|o| o.text.clone()).collect();
        options.sort_by(by_order);
        let mut results = TriviaResults {
            you: you.and_then(|slot| self.id(slot)),
            ..TriviaResults::default()
        };
        if let Some(declared) = &self.declared {
            results.winner = self.id(declared.winner);
            let count = |option: &Choice| {
                let votes = declared.votes.get(&option.slot).copied().unwrap_or(0);
                (option.text.id.clone(), votes)
            };
            results.votes = Some(self.options.iter().map(count).collect());
        }
        TriviaQuestion {
            text: self.text.clone(),
            state: self.state,
            options,
            results,
        }
    }

    /// The id of the winner, while it is shown.
    pub(super) fn winner(&self) -> Option<String> {
        self.declared.as_ref().and_then(|d| self.id(d.winner))
    }
}

/// The order among questions, or among options. Those that are equal stay as they were made.
pub(super) fn by_order(a: &TriviaText, b: &TriviaText) -> std::cmp::Ordering {
    let order = |text: &TriviaText| {
        let order = text.order.as_ref();
        order.and_then(serde_json::Number::as_f64).unwrap_or(0.0)
    };
    order(a).total_cmp(&order(b))
}

/// Refuses a text that is too long, or an id that can be none. `of` stands before the field's name.
pub(super) fn check_text(text: &TriviaText, of: &str, limits: &Limits) -> Result<(), Error> {
    check_id(format!("{of}id"), &text.id)?;
    let name_max = limits.trivia_name_bytes_max;
    let image = text.image.as_deref().unwrap_or_default();
    for (field, value, bytes_max) in [
        ("name", text.name.as_str(), name_max),
        ("short_name", &text.short_name, name_max),
        (
            "description",
            &text.description,
            limits.trivia_description_bytes_max,
        ),
        ("image", image, limits.trivia_image_bytes_max),
    ] {
        if value.len() > bytes_max {
            let expected = format!("must be at most {bytes_max} bytes");
            return Err(Error::invalid(format!("{of}{field}"), expected));
        }
    }
    Ok(())
}

/// Whether a question or an option may have this id.
pub(super) fn is_id(id: &str) -> bool {
    let chars = id.chars().count();
    (1..=ID_CHARS_MAX).contains(&chars) && !id.chars().any(char::is_control)
}

fn check_id(field: String, id: &str) -> Result<(), Error> {
    if is_id(id) {
        return Ok(());
    }
    let expected = format!("must be 1 to {ID_CHARS_MAX} characters without control characters");
    Err(Error::invalid(field, expected))
}

#[cfg(test)]
mod tests {
    use serde_json::{Number, json};

    use super::*;

    fn text(id: &str, order: Option<i64>) -> TriviaText {
        TriviaText {
            id: id.to_owned(),
            name: String::new(),
            short_name: String::new(),
            description: String::new(),
            image: None,
            order: order.map(Number::from),
        }
    }

    fn question(options: &[&str]) -> Question {
        let mut question = Question::new(text("q", None), serde_json::from_str("\"0\"").unwrap());
        for id in options {
            question.put_option(text(id, None), 3).unwrap();
        }
        question
    }

    #[test]
    fn an_option_that_comes_again_has_none_of_the_votes_of_the_one_before() {
        let mut question = question(&["a", "b"]);
        let before = question.slot("a");
        question.remove_option("a").unwrap();
        question.put_option(text("a", None), 3).unwrap();
        assert_eq!(question.view(before).results.you, None);
        let now = question.slot("a");
        assert_eq!(question.view(now).results.you.as_deref(), Some("a"));
    }

    #[test]
    fn the_winner_stays_while_the_results_are_shown() {
        let mut question = question(&["a", "b"]);
        question.declared = Some(Declared {
            winner: 1,
            votes: BTreeMap::from([(1, 7)]),
        });
        assert!(question.remove_option("b").is_err());
        question.remove_option("none").unwrap();
        let results = question.view(None).results;
        assert_eq!(
            json!(results),
            json!({ "winner": "b", "votes": { "a": 0, "b": 7 } })
        );
    }

    #[test]
    fn a_question_has_so_many_options_and_no_more_but_each_can_be_written_again() {
        let mut question = question(&["a", "b", "c"]);
        let refused = question.put_option(text("d", None), 3).unwrap_err();
        assert_eq!(
            refused.reason(),
            "option is one option too many: a question has at most 3"
        );
        question.put_option(text("b", Some(-1)), 3).unwrap();
        let options = question.view(None).options;
        let ids: Vec<&str> = options.iter().map(|option| option.id.as_str()).collect();
        assert_eq!(ids, ["b", "a", "c"]);
    }
}
