//! Octets to frames and back. Knows no verbs.

pub(crate) mod bare_name;
pub(crate) mod dot;
pub(crate) mod heard;
mod input;
mod line;
#[cfg(feature = "smtp")]
mod lines;
pub(crate) mod literal;
mod look;
mod output;

pub(crate) use heard::{Heard, Said};
pub(crate) use input::Input;
#[cfg(feature = "smtp")]
pub(crate) use line::LineSpan;
#[cfg(feature = "smtp")]
pub(crate) use lines::Lines;
pub(crate) use look::Look;
pub(crate) use output::Output;
