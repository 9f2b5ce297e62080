//! The word somebody may have meant.

/// So many words are compared at most; a file with more names gets no suggestion from beyond.
const MOST_WORDS: usize = 500;
/// Longer words are no misspelt ones.
const LONGEST_WORD: usize = 64;

/// The one of `words` that is most like `word`, if it is like it at all: one slip in three letters.
///
/// A slip is a letter that is changed, added, removed or swapped; letter case, and `-` for `_`, are none.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let most_slips = (word.chars().count() / 3).max(1);
    let word = plain(word);
    words
        .into_iter()
        .take(MOST_WORDS)
        .filter(|known| known.len().abs_diff(word.len()) <= most_slips)
        .map(|known| (strsim::osa_distance(&word, &plain(known)), known))
        .filter(|&(slips, _)| slips <= most_slips)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, known)| known)
}

fn plain(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
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
