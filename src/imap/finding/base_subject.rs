//! The base subject, RFC 5256 section 2.1: what is left of a subject without `Re:` and its like.

use super::encoded_word;

/// The base subject of a `Subject` field, and whether what was taken off says that the message is a
/// reply or a forward (section 3, REFERENCES).
pub(crate) fn base_subject(subject: &[u8]) -> (String, bool) {
    // Step 1.
    let mut text = String::with_capacity(subject.len());
    for c in encoded_word::decode(subject).chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' if text.ends_with(' ') => {}
            ' ' | '\t' | '\r' | '\n' => text.push(' '),
            c => text.push(c),
        }
    }
    let (base, is_reply) = extract(&text);
    (base.to_owned(), is_reply)
}

/// Steps 2 to 7.
fn extract(text: &str) -> (&str, bool) {
    let (mut rest, mut is_reply) = (text, false);
    loop {
        // Step 2.
        loop {
            rest = rest.trim_end_matches(' ');
            let Some(before) = strip_end(rest, "(fwd)") else { break };
            (rest, is_reply) = (before, true);
        }
        // Steps 3 to 5.
        loop {
            rest = rest.trim_start_matches(' ');
            let (behind_blobs, last) = blobs(rest);
            if let Some(behind) = reply_mark(behind_blobs) {
                (rest, is_reply) = (behind, true);
                continue;
            }
            // No mark comes behind any of them, so that step 4 takes off one after another; the
            // last only if it is not all there is.
            rest = if behind_blobs.is_empty() { last } else { behind_blobs };
            break;
        }
        // Step 6.
        let inner = strip_start(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        let Some(inner) = inner else { return (rest, is_reply) };
        (rest, is_reply) = (inner, true);
    }
}

/// Steps over `*subj-blob`: what is behind them all, and behind all but the last.
fn blobs(text: &str) -> (&str, &str) {
    let (mut rest, mut last) = (text, text);
    while let Some(behind) = blob(rest) {
        (last, rest) = (rest, behind);
    }
    (rest, last)
}

/// Steps over `subj-blob`: `"[" *BLOBCHAR "]" *WSP`.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner.get(end..)?.strip_prefix(']')?.trim_start_matches(' '))
}

/// Steps over `subj-refwd`: `("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`.
fn reply_mark(text: &str) -> Option<&str> {
    let marks = ["re", "fwd", "fw"];
    let behind = marks.iter().find_map(|mark| strip_start(text, mark))?.trim_start_matches(' ');
    blob(behind).unwrap_or(behind).strip_prefix(':')
}

fn strip_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(start.len())?;
    found.eq_ignore_ascii_case(start).then_some(rest)
}

fn strip_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (rest, found) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_mail_programs_put_around_a_subject_is_taken_off() {
        for (subject, base, is_reply) in [
            ("pears", "pears", false),
            ("Re: pears", "pears", true),
            ("RE : fw[2]: Fwd:pears", "pears", true),
            ("re [2]  : pears", "pears", true),
            ("[list] Re: [list]  pears (FWD) (fwd) ", "pears", true),
            ("[list] pears", "pears", false),
            ("[a] [b] [c]", "[c]", false),
            ("[a]re: [b]", "[b]", true),
            ("re: [a]re: [b][c] [d]", "[d]", true),
            ("[Fwd: pears]", "pears", true),
            ("[fwd: Re: [x] pears (fwd)]", "pears", true),
            ("[fwd: [fwd: pears]]", "pears", true),
            ("Re: [fwd: pears] (fwd)", "pears", true),
            ("[fwd: pears] plums", "plums", false),
            ("Reply: pears", "Reply: pears", false),
            ("fwdd: pears", "fwdd: pears", false),
            ("re", "re", false),
            ("re:", "", true),
            ("(fwd)", "", true),
            (" \t ", "", false),
            ("", "", false),
            ("[unclosed pears", "[unclosed pears", false),
            ("[un[closed] pears", "[un[closed] pears", false),
            ("a\r\n\t b   c", "a b c", false),
            ("=?utf-8?q?Re:_K=C3=B6ln?=", "Köln", true),
            ("Ünë: re", "Ünë: re", false),
        ] {
            let found = base_subject(subject.as_bytes());
            assert_eq!(found, (base.to_owned(), is_reply), "{subject:?}");
        }
    }

    /// Section 2.1 as it is written, one removal at a time.
    fn literally(text: &str) -> String {
        let mut rest = text.to_owned();
        loop {
            while let Some(before) = strip_end(&rest, "(fwd)").or_else(|| rest.strip_suffix(' ')) {
                rest = before.to_owned();
            }
            loop {
                let leader = rest.strip_prefix(' ').or_else(|| {
                    let mut behind = rest.as_str();
                    while let Some(next) = blob(behind) {
                        behind = next;
                    }
                    reply_mark(behind)
                });
                let shorter = leader.or_else(|| blob(&rest).filter(|behind| !behind.is_empty()));
                match shorter.map(str::to_owned) {
                    Some(shorter) => rest = shorter,
                    None => break,
                }
            }
            match strip_start(&rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
                Some(inner) => rest = inner.to_owned(),
                None => return rest,
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_rfc_says_word_for_word(
            subject in "(re|fwd?|\\[fwd:|\\[|\\]|:|\\(fwd\\)|[a ]){0,24}"
        ) {
            let base = extract(&subject).0;
            prop_assert_eq!(base, &literally(&subject));
            prop_assert_eq!(extract(base).0, base);
        }
    }

    #[test]
    fn marks_without_end_take_no_time() {
        for (mark, times) in [("[a]", 300_000), ("re:", 300_000), ("[fwd:", 200_000)] {
            let subject = mark.repeat(times) + &"]".repeat(times);
            let _ = base_subject(subject.as_bytes());
        }
    }
}
