//! Octets to frames and back. Knows no verbs.

pub(crate) mod dot;
mod input;
mod line;
pub(crate) mod literal;
mod look;
mod output;

pub(crate) use input::Input;
#[cfg(feature = "smtp")]
pub(crate) use line::LineSpan;
pub(crate) use look::Look;
pub(crate) use output::Output;
