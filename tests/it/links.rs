//! The pages for readers lead where they say.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(|page| root().join(page))
        .into();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The lines of a page that are no blocks of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    page.lines().filter(move |line| {
        let line = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
        match (fence, mark) {
            (None, None) => true,
            (None, opened) => {
                fence = opened;
                false
            }
            (opened, closed) => {
                if opened == closed {
                    fence = None;
                }
                false
            }
        }
    })
}

/// The anchors that GitHub gives to a page's headings: in lower case, without punctuation, a hyphen
/// for each space, and a number for each repetition.
fn anchors(page: &str) -> HashSet<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let headings = prose(page).filter_map(|line| {
        let text = line.trim_start_matches('#');
        let level = line.len() - text.len();
        ((1..=6).contains(&level) && text.starts_with(' ')).then(|| text.trim())
    });
    let mut anchors = HashSet::new();
    for heading in headings {
        let anchor: String = shown(heading)
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let before = seen.entry(anchor.clone()).or_default();
        let unique = match *before {
            0 => anchor,
            again => format!("{anchor}-{again}"),
        };
        *before += 1;
        anchors.insert(unique);
    }
    anchors
}

/// A heading without the targets of its links.
fn shown(heading: &str) -> String {
    let mut shown = String::new();
    let mut rest = heading;
    while let Some((before, behind)) = rest.split_once("](") {
        shown.push_str(before);
        rest = behind.split_once(')').map_or("", |(_, behind)| behind);
    }
    shown + rest
}

/// The targets of a line's links, but for those in code.
fn targets(line: &str) -> Vec<&str> {
    if let Some((_, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
        return vec![target.trim()];
    }
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("](") {
        let Some((target, behind)) = behind.split_once(')') else { break };
        // The text of a link may hold a span of code; a span that holds the link makes it text.
        if before.matches('`').count() % 2 == 0 {
            targets.push(target.split(' ').next().unwrap_or_default());
        }
        rest = behind;
    }
    targets
}

/// What is wrong with the links of `text`, which is the page at `path`.
fn broken(path: &Path, text: &str) -> Vec<String> {
    let folder = path.parent().unwrap();
    let mut broken = Vec::new();
    for target in prose(text).flat_map(targets) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = match target.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor)),
            None => (target, None),
        };
        let led_to = if file.is_empty() { path.to_owned() } else { folder.join(file) };
        let found = match anchor {
            None => led_to.exists(),
            Some(anchor) if file.is_empty() => anchors(text).contains(anchor),
            Some(anchor) => {
                fs::read_to_string(&led_to).is_ok_and(|page| anchors(&page).contains(anchor))
            }
        };
        if !found {
            broken.push(format!("{}: {target}", path.display()));
        }
    }
    broken
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 15, "{pages:?}");
    let mut links = 0;
    let mut all = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        links += prose(&text).flat_map(targets).count();
        all.append(&mut broken(&page, &text));
    }
    assert!(links > 80, "{links} links were found");
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn what_leads_nowhere_is_found() {
    let text = "# One `two`, three: [four](x.md)!\n## Twice\n## Twice\n```\n# No heading\n[a](b)\n```\n\
                `[code](none.md)` [`x`](#one-two-three-four) [y](#twice-1)\n\
                [n](#no-heading) [m](none.md) [o](README.md#nothing) [p](README.md) [q](https://x)\n\
                [r]: docs/none.md\n";
    let found: Vec<_> = broken(&root().join("page.md"), text);
    let found: Vec<_> = found.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(found, ["x.md", "#no-heading", "none.md", "README.md#nothing", "docs/none.md"]);
}
