//! What a mailbox is for, by its mark or by its name.

/// What a mailbox is for (RFC 6154, RFC 8457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Where mail arrives.
    Inbox,
    /// `\All`: every message of every mailbox.
    All,
    /// `\Archive`: what was put away.
    Archive,
    /// `\Drafts`: what is not finished.
    Drafts,
    /// `\Flagged`: what is marked for attention.
    Flagged,
    /// `\Important`: what the server holds to be important.
    Important,
    /// `\Junk`: what the server holds to be unwanted.
    Junk,
    /// `\Sent`: what was sent.
    Sent,
    /// `\Trash`: what was deleted.
    Trash,
}

impl Role {
    /// The word RFC 6154 has for it, without the backslash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::All => "All",
            Self::Archive => "Archive",
            Self::Drafts => "Drafts",
            Self::Flagged => "Flagged",
            Self::Important => "Important",
            Self::Junk => "Junk",
            Self::Sent => "Sent",
            Self::Trash => "Trash",
        }
    }

    /// By an attribute in lower case, without its backslash; those of XLIST count, too.
    pub(super) fn from_attribute(name: &str) -> Option<Self> {
        Some(match name {
            "inbox" => Self::Inbox,
            "all" | "allmail" => Self::All,
            "archive" => Self::Archive,
            "drafts" => Self::Drafts,
            "flagged" | "starred" => Self::Flagged,
            "important" => Self::Important,
            "junk" | "spam" => Self::Junk,
            "sent" => Self::Sent,
            "trash" => Self::Trash,
            _ => return None,
        })
    }

    /// How well a name fits, the less the better; `None` if it says nothing of this role.
    pub(super) fn rank(self, name: &str, delimiter: Option<char>) -> Option<usize> {
        let name = match delimiter {
            Some(delimiter) => match name.split_once(delimiter) {
                Some((above, below)) if is_prefix(above) => below,
                _ => name,
            },
            None => name,
        };
        let name = name.to_lowercase();
        self.names().iter().position(|known| *known == name)
    }

    /// What servers and other clients call it, in lower case: Exchange, Outlook.com, iCloud, Yahoo,
    /// QQ, 163, Zoho, Yandex, Domino and Gmail, in English first. Each is a name that means nothing
    /// else in its language.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Sent => &[
                "sent items",
                "sent messages",
                "sent mail",
                "sent",
                "sent-mail",
                "outgoing",
                "gesendete elemente",
                "gesendete objekte",
                "gesendet",
                "éléments envoyés",
                "messages envoyés",
                "envoyés",
                "elementos enviados",
                "mensajes enviados",
                "enviados",
                "posta inviata",
                "inviata",
                "itens enviados",
                "e-mails enviados",
                "verzonden items",
                "verzonden",
                "sendt post",
                "sendte elementer",
                "sendt",
                "skickade objekt",
                "skickat",
                "skickade",
                "lähetetyt",
                "elementy wysłane",
                "wysłane",
                "odeslaná pošta",
                "odeslané",
                "отправленные",
                "надіслані",
                "gönderilmiş öğeler",
                "gönderilenler",
                "送信済みアイテム",
                "送信済みメール",
                "送信済み",
                "已发送邮件",
                "已发送",
                "寄件備份",
                "보낸 편지함",
            ],
            Self::Drafts => &[
                "drafts",
                "draft",
                "draft messages",
                "entwürfe",
                "brouillons",
                "borradores",
                "bozze",
                "rascunhos",
                "concepten",
                "kladder",
                "kladd",
                "utkast",
                "luonnokset",
                "wersje robocze",
                "kopie robocze",
                "koncepty",
                "rozepsané",
                "черновики",
                "чернетки",
                "taslaklar",
                "下書き",
                "草稿",
                "草稿箱",
                "임시 보관함",
            ],
            Self::Trash => &[
                "deleted items",
                "deleted messages",
                "trash",
                "deleted",
                "bin",
                "gelöschte elemente",
                "gelöschte objekte",
                "gelöscht",
                "papierkorb",
                "éléments supprimés",
                "messages supprimés",
                "corbeille",
                "elementos eliminados",
                "papelera",
                "posta eliminata",
                "cestino",
                "itens excluídos",
                "itens eliminados",
                "lixeira",
                "lixo",
                "verwijderde items",
                "prullenbak",
                "slettet post",
                "slettede elementer",
                "papirkurv",
                "borttagna objekt",
                "borttaget",
                "papperskorgen",
                "poistetut",
                "roskakori",
                "elementy usunięte",
                "kosz",
                "odstraněná pošta",
                "koš",
                "удаленные",
                "удалённые",
                "корзина",
                "видалені",
                "silinmiş öğeler",
                "silinenler",
                "çöp kutusu",
                "削除済みアイテム",
                "ゴミ箱",
                "ごみ箱",
                "已删除邮件",
                "已删除",
                "刪除的郵件",
                "지운 편지함",
                "휴지통",
            ],
            Self::Junk => &[
                "junk email",
                "junk e-mail",
                "junk",
                "spam",
                "bulk mail",
                "bulk",
                "junkmail",
                "junk-e-mail",
                "junk mail",
                "courrier indésirable",
                "indésirables",
                "correo no deseado",
                "posta indesiderata",
                "lixo eletrônico",
                "lixo eletrónico",
                "ongewenste e-mail",
                "uønsket mail",
                "uønsket e-mail",
                "søppelpost",
                "skräppost",
                "roskaposti",
                "wiadomości-śmieci",
                "nevyžádaná pošta",
                "нежелательная почта",
                "спам",
                "небажана пошта",
                "önemsiz e-posta",
                "迷惑メール",
                "垃圾邮件",
                "垃圾郵件",
                "정크 메일",
                "스팸",
            ],
            Self::Archive => &[
                "archive",
                "archives",
                "archiv",
                "archivio",
                "archivo",
                "arquivo",
                "arquivo morto",
                "archief",
                "arkiv",
                "arkisto",
                "archiwum",
                "архив",
                "архів",
                "arşiv",
                "アーカイブ",
                "存档",
                "封存",
                "보관",
            ],
            Self::All => &["all mail", "alle nachrichten", "tous les messages", "todos"],
            Self::Flagged => &["starred", "flagged", "markiert"],
            Self::Important => &["important", "wichtig"],
            Self::Inbox => &["inbox"],
        }
    }
}

/// Levels under which servers keep the mailboxes that others keep at the top: Courier and Cyrus
/// under INBOX, Gmail under a level of its own.
fn is_prefix(level: &str) -> bool {
    ["INBOX", "[Gmail]", "[Google Mail]", "Mail"]
        .iter()
        .any(|prefix| level.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ALL: [Role; 9] = [
        Role::Inbox,
        Role::All,
        Role::Archive,
        Role::Drafts,
        Role::Flagged,
        Role::Important,
        Role::Junk,
        Role::Sent,
        Role::Trash,
    ];

    #[test]
    fn no_name_means_two_things_and_all_are_in_lower_case() {
        let mut seen = HashSet::new();
        for name in ALL.iter().flat_map(|role| role.names()) {
            assert!(seen.insert(name), "{name}");
            assert_eq!(name.to_lowercase(), **name);
        }
    }

    #[test]
    fn every_role_is_known_by_its_own_word() {
        for role in ALL {
            assert_eq!(Role::from_attribute(&role.as_str().to_lowercase()), Some(role));
        }
    }

    #[test]
    fn names_count_at_the_top_and_under_known_levels_only() {
        assert!(Role::Sent.rank("SENT ITEMS", Some('/')).is_some());
        assert!(Role::Sent.rank("INBOX.Sent", Some('.')).is_some());
        assert!(Role::Trash.rank("[Gmail]/Papierkorb", Some('/')).is_some());
        assert!(Role::Sent.rank("Projects/Sent", Some('/')).is_none());
        assert!(Role::Sent.rank("INBOX/a/Sent", Some('/')).is_none());
        assert!(Role::Sent.rank("INBOX.Sent", None).is_none());
        assert!(Role::Drafts.rank("Черновики", Some('|')).is_some());
    }
}
