//! What a server is known to do wrong without a word in its capabilities, by what it calls itself in
//! its greeting.

/// The habits of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Habits {
    /// It ends the connection when it is asked for NAMESPACE, which it offers: Exchange 2003
    /// (MailKit#1512).
    pub(crate) ends_at_namespace: bool,
    /// It takes lines of 1,000 octets and no more: UW IMAP and its heir, Panda.
    pub(crate) short_lines: bool,
    /// It refuses SELECT to a client that has not said who it is: Coremail, at 163, 126 and 188
    /// (himalaya#651).
    pub(crate) demands_id: bool,
}

impl Habits {
    /// By the text of a greeting.
    pub(crate) fn of(greeting: &str) -> Self {
        Self {
            ends_at_namespace: greeting.contains("Microsoft Exchange Server 2003"),
            // `mail.example IMAP4rev1 2007f.404 at Mon, 1 Jan 2018 …`
            short_lines: greeting.contains(" IMAP4rev1 200") || greeting.contains(" Panda IMAP "),
            // `Coremail System IMap Server Ready(163com[…])`
            demands_id: greeting.contains("Coremail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_known_by_what_they_call_themselves() {
        let exchange = "Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7638.1 \
            (mail.example) ready.";
        assert!(Habits::of(exchange).ends_at_namespace && !Habits::of(exchange).short_lines);
        for uw in [
            "mail.example IMAP4rev1 2007f.404 at Mon, 1 Jan 2018 10:00:00 +0100 (CET)",
            "mail.example IMAP4rev1 2004.357 at Mon, 1 Jan 2018 10:00:00 +0100 (CET)",
            "mail.example Panda IMAP 2010i.492 at Mon, 1 Jan 2018 10:00:00 +0100 (CET)",
        ] {
            assert!(Habits::of(uw).short_lines && !Habits::of(uw).ends_at_namespace, "{uw}");
        }
        let coremail =
            "Coremail System IMap Server Ready(163com[10774b260cc7a37d26d71b52404dcf5c])";
        assert!(Habits::of(coremail).demands_id && !Habits::of(coremail).short_lines);
        for none in ["", "The Microsoft Exchange IMAP4 service is ready. [TQBX]", "Dovecot ready."]
        {
            assert_eq!(Habits::of(none), Habits::default(), "{none}");
        }
    }
}
