//! What became of a message: an answer for every recipient and one for the whole.

use std::fmt;
use std::sync::Arc;

use crate::smtp::envelope::Envelope;
use crate::smtp::queue_id;
use crate::smtp::recipients::Recipients;
use crate::smtp::reply::{Arrival, EnhancedCode, Head, Reply};
use crate::smtp::words::Words;

/// The server's answer to one message.
///
/// SMTP accepts or refuses each recipient by itself, so a message that was sent may still have
/// missed some: look at [`refused`](Self::refused). Acceptance is a promise to deliver or to report,
/// not a delivery.
#[derive(Clone, Default)]
#[must_use = "some recipients may have been refused"]
pub struct Receipt {
    /// All recipients of the envelope.
    to: Arc<Recipients>,
    /// To those of them that have been answered for.
    answers: Vec<Answer>,
    last: Option<Answer>,
    words: Words,
}

impl Receipt {
    /// The recipients the server answered for, in the order of the envelope.
    pub fn recipients(&self) -> impl Iterator<Item = RecipientReply<'_>> {
        let answered = self.to.iter().zip(&self.answers);
        answered.map(|(address, answer)| RecipientReply { address, answer, words: &self.words })
    }

    /// The recipients the server accepted.
    pub fn accepted(&self) -> impl Iterator<Item = RecipientReply<'_>> {
        self.recipients().filter(|recipient| recipient.answer.head.is_positive())
    }

    /// The recipients the server refused, each with its own reason. If it refused the sender, these
    /// are all of them.
    pub fn refused(&self) -> impl Iterator<Item = RecipientReply<'_>> {
        self.recipients().filter(|recipient| !recipient.answer.head.is_positive())
    }

    /// The answer that decided on the message as a whole: to the end of its content, or to the
    /// command that was refused before. `None` if it never came.
    pub fn reply(&self) -> Option<Reply<'_>> {
        self.last.map(|answer| answer.reply(&self.words))
    }

    /// The name the server gave the message in its queue, where it is one of the servers that say
    /// so in a known way: Postfix, Exim, Exchange, Gmail, Dovecot, Sendmail, Amazon SES. It is what
    /// its administrator searches the log for.
    ///
    /// Exchange Online has no other name for a submitted message than its
    /// [`message_id`](Self::message_id). The words themselves are in [`reply`](Self::reply).
    pub fn queue_id(&self) -> Option<&str> {
        queue_id::queue_id(self.last_words()?)
    }

    /// The Message-ID that the server says the message has, without its angle brackets. Exchange
    /// says so, and replaces the one that was sent; by this one the message is found in a trace.
    pub fn message_id(&self) -> Option<&str> {
        queue_id::message_id(self.last_words()?)
    }

    /// The words of the reply that accepted the message.
    fn last_words(&self) -> Option<&str> {
        let last = self.last.filter(|answer| answer.head.is_positive())?;
        Some(last.words(&self.words))
    }

    /// A receipt without answers, with room for what answers to this envelope usually take.
    pub(crate) fn for_envelope(envelope: &Envelope) -> Self {
        let to = Arc::clone(envelope.to());
        let words = Words::with_room(to.len() * REPLY_ROOM + FINAL_ROOM);
        Self { answers: Vec::with_capacity(to.len()), to, last: None, words }
    }

    /// How many recipients the envelope has.
    pub(crate) fn asked(&self) -> usize {
        self.to.len()
    }

    /// Where the reply that is being read puts its words.
    pub(crate) const fn words(&mut self) -> &mut Words {
        &mut self.words
    }

    /// The next recipient was answered, or as many of them as the reply came times.
    pub(crate) fn answered(&mut self, reply: Arrival) {
        let answered = self.answers.len() + reply.times;
        self.answers.resize(answered.min(self.asked()), self.answer(reply));
    }

    /// The sender was refused, and with it every recipient.
    pub(crate) fn sender_refused(&mut self, reply: Arrival) {
        self.decided(reply);
        self.answers = vec![self.answer(reply); self.asked()];
    }

    /// The reply decided on the message.
    pub(crate) fn decided(&mut self, reply: Arrival) {
        self.last = Some(self.answer(reply));
    }

    /// The first refusal of a recipient decides on the message.
    pub(crate) fn decided_by_first_refusal(&mut self) {
        self.last = self.answers.iter().find(|answer| !answer.head.is_positive()).copied();
    }

    /// The reply matters to nobody.
    pub(crate) fn forget(&mut self, reply: Arrival) {
        self.words.truncate(reply.mark);
    }

    pub(crate) fn any_accepted(&self) -> bool {
        self.answers.iter().any(|answer| answer.head.is_positive())
    }

    pub(crate) fn all_accepted(&self) -> bool {
        self.accepted().count() == self.asked()
    }

    const fn answer(&self, reply: Arrival) -> Answer {
        Answer { head: reply.head, start: reply.mark, end: self.words.len() }
    }
}

/// Receipts are the same if they say the same.
impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to
            && self.recipients().eq(other.recipients())
            && self.reply() == other.reply()
    }
}

impl Eq for Receipt {}

/// What one reply takes, so that the buffer need not grow: `Ok`, `recipient ok`, and at most a
/// quoted address or a line of reasons now and then.
const REPLY_ROOM: usize = 32;
const FINAL_ROOM: usize = 160;

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("recipients", &self.recipients().collect::<Vec<_>>())
            .field("reply", &self.reply())
            .finish()
    }
}

/// One recipient and what the server said to it.
#[derive(Clone, Copy)]
pub struct RecipientReply<'a> {
    address: &'a str,
    answer: &'a Answer,
    words: &'a Words,
}

impl<'a> RecipientReply<'a> {
    /// The address, as the envelope had it.
    pub const fn recipient(&self) -> &'a str {
        self.address
    }

    /// The server's answer to it.
    pub fn reply(&self) -> Reply<'a> {
        self.answer.reply(self.words)
    }

    /// Whether the same recipient may be accepted later: 4xx, and 552, by which older servers mean
    /// too many recipients at a time (RFC 5321 section 4.5.3.1.10), unless the code behind it says
    /// something else (RFC 3463: 5.5.3 is too many recipients, 5.2.2 a full mailbox).
    pub const fn is_transient(&self) -> bool {
        let head = self.answer.head;
        let too_many = match head.enhanced {
            Some(EnhancedCode { subject, detail, .. }) => subject == 5 && detail == 3,
            None => true,
        };
        head.code / 100 == 4 || head.code == 552 && too_many
    }
}

impl PartialEq for RecipientReply<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.recipient() == other.recipient() && self.reply() == other.reply()
    }
}

impl Eq for RecipientReply<'_> {}

impl AsRef<str> for RecipientReply<'_> {
    /// The address.
    fn as_ref(&self) -> &str {
        self.recipient()
    }
}

impl fmt::Debug for RecipientReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>: {}", self.recipient(), self.reply())
    }
}

impl fmt::Display for RecipientReply<'_> {
    /// `<ann@example.com>: 550 5.1.1 User unknown`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>: {}", self.recipient(), self.reply())
    }
}

/// A reply whose words lie among those of the receipt.
#[derive(Clone, Copy)]
struct Answer {
    head: Head,
    start: usize,
    end: usize,
}

impl Answer {
    fn reply(self, words: &Words) -> Reply<'_> {
        Reply::new(self.head, self.words(words))
    }

    fn words(self, words: &Words) -> &str {
        words.get(self.start..self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::ReplyParser;

    fn envelope() -> Envelope {
        Envelope::new("me@contoso.example", ["ann@a.example", "bob@b.example", "eve@c.example"])
            .unwrap()
    }

    fn hear(receipt: &mut Receipt, line: &str) -> Arrival {
        let mark = receipt.words().len();
        let head = ReplyParser::default().line(line.as_bytes(), receipt.words()).unwrap().unwrap();
        Arrival { head, mark, times: 1 }
    }

    fn mixed() -> Receipt {
        let mut receipt = Receipt::for_envelope(&envelope());
        let reply = hear(&mut receipt, "250 2.1.0 Sender OK");
        receipt.forget(reply);
        let replies = ["250 2.1.5 Ok", "550 5.1.1 No such user", "451 4.7.1 Greylisted"];
        for line in replies {
            let reply = hear(&mut receipt, line);
            receipt.answered(reply);
        }
        let reply = hear(&mut receipt, "250 2.0.0 Ok: queued as 4XyZ1");
        receipt.decided(reply);
        receipt
    }

    #[test]
    fn every_recipient_has_its_own_answer() {
        let receipt = mixed();
        let told: Vec<String> = receipt.recipients().map(|r| r.to_string()).collect();
        assert_eq!(
            told,
            [
                "<ann@a.example>: 250 2.1.5 Ok",
                "<bob@b.example>: 550 5.1.1 No such user",
                "<eve@c.example>: 451 4.7.1 Greylisted"
            ]
        );
        assert_eq!(
            receipt.accepted().map(|r| r.recipient()).collect::<Vec<_>>(),
            ["ann@a.example"]
        );
        let refused: Vec<_> = receipt.refused().collect();
        assert_eq!(refused.len(), 2);
        assert_eq!(refused[0].reply().enhanced(), Some(EnhancedCode::new(5, 1, 1)));
        assert_eq!(receipt.reply().unwrap().text(), "Ok: queued as 4XyZ1");
    }

    #[test]
    fn the_retry_is_made_of_what_was_refused_for_now() {
        let receipt = mixed();
        let retry = envelope().to_only(receipt.refused().filter(|r| r.is_transient())).unwrap();
        assert_eq!(retry.recipients().collect::<Vec<_>>(), ["eve@c.example"]);
    }

    #[test]
    fn who_was_not_answered_is_not_on_the_receipt() {
        let mut receipt = Receipt::for_envelope(&envelope());
        assert_eq!((receipt.recipients().count(), receipt.reply()), (0, None));
        let reply = hear(&mut receipt, "250 2.1.5 Ok");
        receipt.answered(reply);
        assert_eq!(
            receipt.recipients().map(|r| r.recipient()).collect::<Vec<_>>(),
            ["ann@a.example"]
        );
    }

    #[test]
    fn too_many_recipients_may_be_tried_later_though_the_code_says_5() {
        let mut receipt = Receipt::for_envelope(&envelope());
        let lines = ["552 Too many recipients", "552 5.2.2 Mailbox full", "552 5.5.3 Too many"];
        for line in lines {
            let reply = hear(&mut receipt, line);
            receipt.answered(reply);
        }
        let transient: Vec<bool> = receipt.refused().map(|r| r.is_transient()).collect();
        assert_eq!(transient, [true, false, true]);
    }

    #[test]
    fn a_refused_sender_refuses_every_recipient() {
        let mut receipt = Receipt::for_envelope(&envelope());
        let reply = hear(&mut receipt, "451 4.7.1 Later");
        receipt.sender_refused(reply);
        assert_eq!(receipt.refused().count(), 3);
        assert!(!receipt.any_accepted());
        assert!(receipt.refused().all(|r| r.reply().to_string() == "451 4.7.1 Later"));
        assert_eq!(receipt.reply().unwrap().code(), 451);
    }

    #[test]
    fn only_a_message_that_was_accepted_has_a_name() {
        let told = |line: &str| {
            let mut receipt = Receipt::for_envelope(&envelope());
            let reply = hear(&mut receipt, line);
            receipt.decided(reply);
            (receipt.queue_id().map(str::to_owned), receipt.message_id().map(str::to_owned))
        };
        assert_eq!(told("250 2.0.0 Ok: queued as 4XyZ1"), (Some("4XyZ1".into()), None));
        let exchange = told("250 2.6.0 <a@b.example> [InternalId=7, Hostname=x] Queued mail");
        assert_eq!(exchange, (Some("7".into()), Some("a@b.example".into())));
        assert_eq!(told("554 5.0.0 not queued as X"), (None, None));
    }

    #[test]
    fn receipts_that_say_the_same_are_the_same() {
        let mut again = Receipt::for_envelope(&envelope());
        for line in ["250 2.1.5 Ok", "250 2.1.5 Ok"] {
            let reply = hear(&mut again, line);
            again.answered(reply);
        }
        let mut at_once = Receipt::for_envelope(&envelope());
        let reply = hear(&mut at_once, "250 2.1.5 Ok");
        at_once.answered(Arrival { times: 2, ..reply });
        assert_eq!(again, at_once);
        assert!(again.recipients().eq(at_once.recipients()));
        let reply = hear(&mut at_once, "250 2.1.5 Ok");
        at_once.answered(reply);
        assert_ne!(again, at_once);
    }

    #[test]
    fn a_receipt_prints_words_and_not_offsets() {
        let shown = format!("{:?}", mixed());
        assert!(shown.contains("<bob@b.example>: 550 5.1.1 No such user"), "{shown}");
        assert!(!shown.contains("start"), "{shown}");
    }

    #[test]
    fn a_hundred_ordinary_answers_fit_the_room_made_for_them() {
        let many: Vec<String> = (0..100).map(|n| format!("user{n}@example.com")).collect();
        let envelope = Envelope::new("me@contoso.example", &many).unwrap();
        let mut receipt = Receipt::for_envelope(&envelope);
        let room = (receipt.words.room(), receipt.answers.capacity());
        for _ in 0..100 {
            let reply = hear(&mut receipt, "250 2.1.5 Recipient OK");
            receipt.answered(reply);
        }
        let reply = hear(
            &mut receipt,
            "250 2.0.0 OK <AM0PR01MB1234@AM0PR01MB1234.eurprd01.prod.exchangelabs.com> \
             [Hostname=AM0PR01MB1234.eurprd01.prod.exchangelabs.com]",
        );
        receipt.decided(reply);
        assert_eq!((receipt.words.room(), receipt.answers.capacity()), room);
    }
}
