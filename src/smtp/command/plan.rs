//! How a message is to be sent: what MAIL says of it, and whether by DATA or BDAT.

use crate::smtp::body::{Chunked, Survey};
use crate::smtp::proto::parameters::Form;
use crate::smtp::proto::transaction::{Plan, Transfer};
use crate::smtp::{Body, BodyError, Envelope, Error, SmtpClient, needs};
use crate::wire::dot::Stuffer;

impl SmtpClient {
    /// What the server and the message allow.
    ///
    /// # Errors
    /// The server cannot take it, or the content is not what was said.
    pub(super) fn plan(&self, envelope: &Envelope, body: &Body<'_>) -> Result<Plan, Error> {
        body.check_size().map_err(unusable)?;
        let extensions = self.extensions();
        let survey = if body.is_binary() { None } else { body.survey() };
        let transfer = self.transfer(envelope, body, survey.as_ref())?;
        let size = survey.as_ref().map_or_else(|| body.known_size(), |survey| Some(survey.size));
        let form = match &survey {
            _ if body.is_binary() => Form::Binary,
            // Nobody knows what a reader or stream brings.
            _ if !extensions.eight_bit_mime() => Form::SevenBit,
            Some(survey) if !survey.look.eight_bit => Form::SevenBit,
            _ => Form::EightBit,
        };
        let eight_bit = survey.as_ref().is_none_or(|survey| survey.look.eight_bit);
        let utf8_header = body.has_utf8_header(eight_bit);
        let stuffer = match transfer {
            Transfer::Data => Stuffer::new(),
            Transfer::Chunks | Transfer::OneFlight => Stuffer::without_dots(),
        };
        let stuffer = match &survey {
            Some(survey) => stuffer.for_content(&survey.look),
            None => stuffer,
        };
        Ok(Plan {
            parameters: self.parameters(envelope, utf8_header, size, form)?,
            transfer,
            pipelining: extensions.pipelining(),
            all_or_nothing: envelope.is_all_or_nothing(),
            stuffer: (!body.is_binary()).then_some(stuffer),
        })
    }

    /// Whether lines of any length can be sent as the content is going to be.
    pub(super) fn takes_any_line(&self, body: &Body<'_>) -> bool {
        body.is_binary() || body.allows_long_lines() || self.extensions().chunking()
    }

    fn transfer(
        &self,
        envelope: &Envelope,
        body: &Body<'_>,
        survey: Option<&Survey>,
    ) -> Result<Transfer, Error> {
        let extensions = self.extensions();
        if body.is_binary() && !extensions.binary_mime() {
            let what = "CHUNKING and BINARYMIME, which binary content needs".to_owned();
            return Err(needs::unsupported(what, extensions));
        }
        if !extensions.chunking() {
            return match survey.and_then(|survey| survey.long_line) {
                Some(line) if !body.allows_long_lines() => {
                    Err(unusable(BodyError::LongLine { line }))
                }
                _ => Ok(Transfer::Data),
            };
        }
        let needed = match survey {
            _ if body.is_binary() => true,
            Some(survey) => survey.long_line.is_some() && !body.allows_long_lines(),
            // Its lines may turn out to be too long.
            None => !body.allows_long_lines(),
        };
        Ok(match body.chunking() {
            Chunked::InOneFlight if extensions.pipelining() && !envelope.is_all_or_nothing() => {
                Transfer::OneFlight
            }
            Chunked::IfNeeded if !needed => Transfer::Data,
            Chunked::IfNeeded | Chunked::IfOffered | Chunked::InOneFlight => Transfer::Chunks,
        })
    }
}

/// Content that is seen to be unfit before anything is sent.
const fn unusable(source: BodyError) -> Error {
    Error::Body { source, usable: true }
}
