//! The word somebody may have meant.

/// So many words are compared at most; a file with more names gets no suggestion from beyond.
const MOST_WORDS: usize = 1000;
/// Longer words are no misspelt ones.
const LONGEST_WORD: usize = 64;

/// The one of `words` that is most like `word`, if it is like it at all: one slip in three letters.
pub(super) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let most_slips = (word.chars().count() / 3).max(1);
    words
        .into_iter()
        .take(MOST_WORDS)
        .filter(|known| known.len().abs_diff(word.len()) <= most_slips)
        .map(|known| (slips(word, known), known))
        .filter(|&(slips, _)| slips <= most_slips)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, removed or swapped; letter case and `-` for `_` are no slip.
fn slips(word: &str, known: &str) -> usize {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    strsim::damerau_levenshtein(&plain(word), &plain(known))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const WORDS: [&str; 5] = ["nodes", "balance", "health_check", "retry", "timeouts"];

    #[test]
    fn misspelt_word_finds_its_like() {
        for (word, meant) in [
            ("nodse", "nodes"),
            ("node", "nodes"),
            ("healthcheck", "health_check"),
            ("Health-Check", "health_check"),
            ("time_outs", "timeouts"),
        ] {
            assert_eq!(nearest(word, WORDS), Some(meant), "{word}");
        }
    }

    #[test]
    fn strange_word_finds_nothing() {
        for word in ["", "x", "upstreams", "tls", &"nodes".repeat(100)] {
            assert_eq!(nearest(word, WORDS), None, "{word}");
        }
    }
}
